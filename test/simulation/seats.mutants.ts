// The mutants of the world "seats"; see mutants.ts.
import type { Mutant } from "./mutant.ts";

export const seatsMutants: Mutant[] = [
	{
		name: "hold sold after its end",
		world: "seats",
		file: "services/seats/seats.store.holds.ts",
		find: "unlessExpired: true, ",
		replace: ""
	},
	{
		name: "hold ends by the node's clock",
		world: "seats",
		file: "mixins/reservation/reservation.sql.ts",
		find: "isExpired: is_expired!",
		replace: "isExpired: new Date(expires_at).getTime() <= Date.now()"
	},
	{
		name: "version of a seat map counted outside of the transaction",
		world: "seats",
		file: "services/seats/seats.store.changes.ts",
		find: "raised.map(({ id, version }) => [id, version])",
		replace: "raised.map(({ id }) => [id, ((globalThis.counted ??= {})[id] = (globalThis.counted[id] ?? 0) + 1)])"
	},
	{
		name: "only the first of several seats given back",
		world: "seats",
		file: "mixins/reservation/reservation.rules.ts",
		find: "for (const line of holding?.lines ?? []) draft.move(holder, kind, line);",
		replace: "for (const line of holding?.lines.slice(0, 1) ?? []) draft.move(holder, kind, line);"
	},
	{
		name: "idempotency key of a hold shared by all buyers",
		world: "seats",
		file: "services/seats/seats.ts",
		find: "idFrom(buyerId, showId, idempotencyKey)",
		replace: "idFrom(showId, idempotencyKey)"
	},
	{
		name: "release takes back a hold that is sold meanwhile",
		world: "seats",
		file: "services/seats/seats.store.holds.ts",
		find: "reservedOnly: true, ",
		replace: ""
	},
	{
		name: "open holds counted before the transaction",
		world: "seats",
		file: "services/seats/seats.store.holds.ts",
		find: `return seats.reserve(requests, {
				policy: policyFor(begun),
				onMoved: writeChanges(outbox, { begun, hasExpired: true })
			});`,
		replace: `return policyFor(begun)(knex, requests).then(early => seats.reserve(requests, {
				policy: async () => early,
				onMoved: writeChanges(outbox, { begun, hasExpired: true })
			}));`
	},
	{
		name: "expired seats wait for the sweep",
		world: "seats",
		file: "mixins/reservation/reserve.ts",
		find: "if (first.expired.length === 0) return first.answers;",
		replace: "return first.answers;"
	},
	{
		name: "hold.expired not published where the next buyer frees the seats",
		world: "seats",
		file: "services/seats/seats.store.holds.ts",
		find: "writeChanges(outbox, { begun, hasExpired: true })",
		replace: "writeChanges(outbox, { begun, hasExpired: false })"
	},
	{
		name: "seats.updated names the seats that were asked for",
		world: "seats",
		file: "services/seats/seats.store.changes.ts",
		find: "toChanges(movements);",
		replace: `toChanges([...movements, ...[...begun.values()].filter(({ showId }) => movements.some(({ item }) => item.startsWith(showId)))
			.flatMap(hold => hold.seats.map(seat => ({ item: hold.showId + "/" + seat, holder: hold.holdId, stock: 1, reserved: 1 })))]);`
	},
	{
		name: "retry answered with a hold that has ended",
		world: "seats",
		file: "services/seats/seats.hold.ts",
		find: "return hasEnded(hold) ? holdExpired(hold.holdId) : toHold",
		replace: "return toHold"
	},
	{
		name: "seats held without admission",
		world: "seats",
		file: "services/seats/seats.store.buyer-rules.ts",
		find: 'if (buyer.hasQueue && !isAdmitted.get(buyer)) return "NOT_ADMITTED";',
		replace: ""
	},
	{
		name: "cached seat map of an earlier version",
		world: "seats",
		file: "services/seats/seats.store.cache.ts",
		find: "entry?.revision === revision ? entry.letters : undefined",
		replace: "entry?.letters"
	},
	{
		name: "early ones in a queue ordered by their arrival",
		world: "seats",
		file: "services/seats/queue/queue.store.admission.ts",
		find: "row_number() over (partition by show_id order by lot) as place",
		replace: "row_number() over (partition by show_id order by joined_at) as place"
	},
	{
		name: "admission decided before the queue is locked",
		world: "seats",
		file: "services/seats/queue/queue.store.ts",
		find: "admit(queues, MAX_ADMITTED)",
		replace: "admit(waiting.filter(isDue), MAX_ADMITTED)"
	}
];
