// Mutants: deliberate bugs which prove that the simulation detects such bugs. Most change the real source while it is loaded; the text to replace
// must occur exactly once, so that an outdated mutant fails. The others wrap a store whose real logic runs outside TypeScript.
import type { Mutant } from "./mutant.ts";
import { seatsMutants } from "./seats.mutants.ts";

export const mutants: Mutant[] = [
	{
		name: "acknowledge before commit",
		world: "purchases",
		file: "services/purchase/purchase.ts",
		find: "const { purchase } = await buy(item, deadlineOf(ctx, TIMEOUT_MS));",
		replace: "const purchase = { id, user_id: userID, amount }; buy(item, deadlineOf(ctx, TIMEOUT_MS)).catch(() => {});"
	},
	{
		name: "commit the offset before the effect",
		world: "purchases",
		file: "mixins/topics/open-consumers.ts",
		find: "topics: grouped, handler: handle }",
		replace: "topics: grouped, handler: async batch => (void handle(batch).catch(() => {}), batch.records.at(-1)!.offset + 1) }"
	},
	{
		name: "relay reads from a cursor and skips late commits",
		world: "purchases",
		file: "mixins/outbox/relay-loop.ts",
		find: 'if (waiting.length === 0) return "nothing";',
		replace: `const cursor = Number((outbox as { cursor?: number }).cursor ?? 0);
	waiting.splice(0, waiting.length, ...waiting.filter(({ id }) => Number(id) > cursor));
	Object.assign(outbox, { cursor: Math.max(cursor, ...waiting.map(({ id }) => Number(id))) });
	if (waiting.length === 0) return "nothing";`
	},
	{
		name: "outbox rows deleted before the acknowledgement",
		world: "purchases",
		file: "mixins/outbox/relay-loop.ts",
		find: "await log.append(waiting.map(({ record }) => record));",
		replace: "await outbox.next(0, waiting.map(({ id }) => id)); await log.append(waiting.map(({ record }) => record));"
	},
	{
		name: "relay does not check the fence of its lease",
		world: "purchases",
		file: "mixins/outbox/relay-loop.ts",
		find: "(await lease.acquire()) !== fence",
		replace: "false"
	},
	{
		name: "lease taken before it expires",
		world: "purchases",
		file: "mixins/outbox/lease.ts",
		find: "where until < clock_timestamp() or holder = ?",
		replace: "where true or holder = ?"
	},
	{
		name: "lease of another owner renewed",
		world: "purchases",
		file: "mixins/outbox/lease.ts",
		find: 'update("holder = holder where fence = ?", [held])',
		replace: 'update("holder = holder where fence >= ?", [held])'
	},
	{
		name: "wallet applies outdated totals",
		world: "purchases",
		file: "services/wallet/wallet.lua.ts",
		find: "local isNewer = tonumber(seq) > before",
		replace: "local isNewer = tonumber(seq) > 0"
	},
	{
		name: "wallet takes over totals without a valid proof",
		world: "purchases",
		file: "services/wallet/wallet.ts",
		find: "if (total && isProven(source.record))",
		replace: "if (total)"
	},
	{
		name: "generation kept although Redis lost data",
		world: "purchases",
		file: "services/wallet/wallet.redis-consistency.ts",
		find: "if (!seen || due.some((offset, partition) => Number(applied[partition] ?? 0) < offset)) {",
		replace: "if (!seen) {"
	},
	{
		name: "results of a batch in the wrong order",
		world: "purchases",
		file: "mixins/micro-batch.ts",
		find: "const answer = answers[index] as Answer | Error;",
		replace: "const answer = answers.at(-1 - index) as Answer | Error;"
	},
	{
		name: "socket joins the user of every purchase frame",
		world: "purchases",
		file: "services/socket/ws/session.ts",
		find: "const joining = this.#client.user === undefined && owner !== undefined ?",
		replace: "const joining = owner !== undefined ?"
	},
	{
		name: "outdated values pushed to a socket",
		world: "purchases",
		file: "services/socket/ws/version-filter.rules.ts",
		find: "const isBehind = versions(data, headers)",
		replace: "if (!raise) return data; const isBehind = versions(data, headers)"
	},
	{
		name: "replayed foreign record identified by its new position",
		world: "purchases",
		file: "services/wallet/wallet.rules.ts",
		find: "(origin.every(part => part !== undefined) ? origin : [topic, partition, offset])",
		replace: "[topic, partition, offset]"
	},
	{
		name: "redelivered pick not counted",
		world: "selections",
		file: "services/selections/selections.rules.ts",
		find: "return first === undefined || isSame(first, position);",
		replace: "return first === undefined;"
	},
	{
		name: "picks applied twice after a crash",
		world: "selections",
		file: "services/selections/selections.rules.ts",
		find: "if (record.offset > total.appliedOffset)",
		replace: ""
	},
	{
		name: "pick ids expire",
		world: "selections",
		file: "services/selections/selections.tally.ts",
		find: "const picks = newPicks(received, epoch, seen);",
		replace: `for (const [id, { offset }] of seen) if (offset < batch.endOffset - 5) seen.delete(id);
		const picks = newPicks(received, epoch, seen);`
	},
	{
		name: "totals remembered over a reassignment",
		world: "selections",
		file: "services/selections/selections.tally.ts",
		find: "if (first) partitions.delete(partition);",
		replace: ""
	},
	{
		name: "totals remembered although their write failed",
		world: "selections",
		file: "services/selections/selections.tally.ts",
		find: "const changed = applyPicks(totals, picks);",
		replace: `const changed = applyPicks(totals, picks);
		for (const [name, total] of changed) totals.set(name, total);
		remembered.totals = totals;`
	},
	{
		name: "totals written and the id lost",
		world: "selections",
		file: "services/selections/selections.tally.ts",
		find: "await store.write(source, {",
		replace: `await store.write(source, { selections: [], totals: changed, appliedOffset: received.at(-1)!.record.offset });
		const writeLate = { write: (...args) => void store.write(...args).catch(() => {}) };
		await writeLate.write(source, {`
	},
	{
		name: "checkpoint behind the picks",
		world: "selections",
		file: "services/selections/selections.tally.ts",
		find: "appliedOffset: received.at(-1)!.record.offset",
		replace: "appliedOffset: received[0]!.record.offset"
	},
	{
		name: "the end of the log when a batch was read starts an epoch",
		world: "selections",
		file: "services/selections/selections.tally.ts",
		find: "endOffset > checkpoint.appliedOffset ? endOffset : await currentEnd()",
		replace: "endOffset"
	},
	{
		name: "counts read before the write",
		world: "selections",
		file: "services/selections/selections.tally.ts",
		find: "await store.write(source, {",
		replace: `const early = await store.counts([...new Set(picks.map(({ message }) => message.name))]);
		store = { ...store, counts: async () => early };
		await store.write(source, {`
	},
	{
		name: "room confirmed before the node reads the topics",
		world: "selections",
		file: "services/socket/rooms.ts",
		find: "await reading();",
		replace: "reading()?.catch(() => {});"
	},
	{
		name: "summary accepts lower counts",
		world: "selections",
		summary: (store, rows) => ({
			...store,
			async raise(counts) {
				await store.raise(counts);
				for (const { name, count } of counts) rows.set(name, count);
			}
		})
	},
	{
		name: "dead letter not awaited",
		world: "records",
		file: "mixins/topics/subscription.ts",
		find: "const sent = await publishRejected(publisher.log, group, ours.filter(isDone), outcome.refused, publisher.logger);",
		replace: `void publishRejected(log, group, ours.filter(isDone), outcome.refused, logger).catch(() => {});
		const sent = { dead: [], misrouted: [] };`
	},
	{
		name: "offset committed before deferred records are handled",
		world: "records",
		file: "mixins/topics/open-consumers.ts",
		find: "topics: grouped, handler: handle }",
		replace: `topics: grouped, handler: async batch => {
			const next = await handle(batch);
			const rest = batch.records.filter(({ offset }) => offset >= next);
			if (rest.length === 0 || rest.length === batch.records.length) return next;
			const later = () => setTimeout(() => void handle({ ...batch, records: rest }).catch(later), 100);
			later();
			return batch.records.at(-1)!.offset + 1;
		} }`
	},
	{
		name: "poison record rejects its whole batch",
		world: "records",
		file: "mixins/topics/run-handler.ts",
		find: "if (some.length === 1) {\n\t\t\toutcome.refused.set(first, result.refused);",
		replace: "if (some.length >= 1) {\n\t\t\tfor (const { record } of some) outcome.refused.set(record.offset, result.refused);"
	},
	{
		name: "records of one key handled out of order",
		world: "records",
		file: "mixins/topics/run-handler.ts",
		find: "Map.groupBy(messages, ({ record }) => String(record.key))",
		replace: "Map.groupBy(messages, ({ record }) => String(record.offset))"
	},
	{
		name: "retry of a create ignores the voided id",
		world: "orders",
		file: "services/orders/orders.store.ts",
		find: "await withRefusals(query(knex, VOID, [ids]));",
		replace: ""
	},
	...seatsMutants
];
