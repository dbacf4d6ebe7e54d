// Delivers picks to the tallies of several owners.
import { randomUUID } from "node:crypto";
import { pickedAt } from "./selections.simulation.ts";
import type { SelectionStore } from "./selections.store.ts";
import { tally } from "./selections.tally.ts";

/** One partition of a topic and its owners. */
export function counterOf(defaultStore: SelectionStore, partition: number) {
	const owners = new Map<string, ReturnType<typeof tally>>();
	let owner: string | undefined;
	const names = new Map<string, string>();
	const own = (name: string) => names.get(name) ?? names.set(name, `${name}-${randomUUID()}`).get(name)!;
	const ids = `-${randomUUID()}`;
	return {
		/** Delivers these picks ("id name", …), starting at an offset, to an owner; returns how many count. */
		async count(
			who: string,
			fromOffset: number,
			picks: string[],
			endOffset = fromOffset + picks.length,
			store = defaultStore,
			currentEnd = endOffset
		) {
			const first = who !== owner;
			owner = who;
			if (!owners.has(who)) owners.set(who, tally(store));
			const received = picks.map((pick, n) => {
				const [id, name] = pick.split(" ") as [string, string];
				return pickedAt(partition, fromOffset + n, id + ids, own(name));
			});
			return (await owners.get(who)!({ received, partition, endOffset, currentEnd: async () => currentEnd, first })).picks.length;
		},
		async of(name: string) {
			return (await defaultStore.counts([own(name)]))[0]!.count;
		}
	};
}
