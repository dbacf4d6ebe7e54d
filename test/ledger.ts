// Keeps the books of a crowd: whatever happens to the system meanwhile, in the end every entry counts exactly once.
import assert from "node:assert/strict";
import { grpcClient } from "./client.grpc.ts";
import { eventually, fresh } from "./client.ts";
import { type Entry, gatherCrowd } from "./crowd.ts";
import { countOf, settled } from "./selections.story.ts";
import { ownName, type System } from "./system.ts";

export interface Ledger {
	/** Begins to pick and to buy, as fast as it is answered. */
	burst(): void;
	/** Ends the burst; what is under way may still be answered. */
	calm(): Promise<void>;
	/** Waits until this many more have been acknowledged. */
	untilAcknowledged(more: number, timeoutMs?: number): Promise<void>;
	/** What was acknowledged is counted, and no more than was sent: before anything is tried again. */
	holds(): Promise<void>;
	/** Tries again what was not acknowledged, and some of what was, under the same ids. */
	settle(timeoutMs?: number): Promise<void>;
	/** Every entry counts exactly once, at every door that tells. */
	verify(): Promise<void>;
}

type Of = (entry: Entry) => boolean;
const all: Of = () => true;
const acknowledged: Of = entry => entry.acknowledged;

export async function openLedger(system: System, { workers = 12, users = 5 } = {}): Promise<Ledger> {
	const names = [ownName(), ownName()];
	const before = new Map(await Promise.all(names.map(async name => [name, await countOf(system, name)] as const)));
	const people = Array.from({ length: users }, () => fresh("crash"));
	const crowd = gatherCrowd(system, names, people, workers);
	const { entries, surprises } = crowd;

	const picked = (name: string, of: Of) =>
		entries.filter(one => one.kind === "pick" && one.body.name === name && of(one)).length + (before.get(name) as number);
	const bought = (user: string, of: Of) => {
		const amounts = entries.flatMap(one =>
			one.kind === "purchase" && one.body.user_id === user && of(one) ? one.body.amount : []
		);
		return amounts.reduce((cents, amount) => cents + Math.round(amount * 100), 0) / 100;
	};

	async function total(user: string): Promise<number> {
		const grpc = grpcClient(system.grpc);
		const { balances } = (await grpc.getBalance(user).finally(grpc.close)) as { balances: { total: number } };
		return balances.total;
	}

	const between = (what: string, look: () => Promise<number>, least: number, most: number) =>
		eventually(async () => {
			const seen = await look();
			assert.ok(seen >= least && seen <= most, `${what}: ${seen}, not ${least} to ${most}`);
		}, "what was acknowledged to count");

	return {
		burst: crowd.burst,
		calm: crowd.calm,
		async untilAcknowledged(more, timeoutMs) {
			const wanted = crowd.acknowledged() + more;
			const reached = () => assert.ok(crowd.acknowledged() >= wanted, `${crowd.acknowledged()} of ${wanted}`);
			await eventually(reached, `${more} more acknowledgements`, timeoutMs);
		},
		async holds() {
			for (const name of names) await between(name, () => countOf(system, name), picked(name, acknowledged), picked(name, all));
			for (const user of people) await between(user, () => total(user), bought(user, acknowledged), bought(user, all));
		},
		async settle(timeoutMs = 60_000) {
			const known = entries.filter(acknowledged);
			const open = [...entries.filter(one => !one.acknowledged), ...known.slice(-20), ...known.slice(0, 20)];
			const accepted = (entry: Entry) =>
				eventually(
					async () => assert.ok(await crowd.post(entry), surprises.at(-1)),
					`${JSON.stringify(entry)} to be accepted`,
					timeoutMs
				);
			const work = async () => {
				for (let entry = open.pop(); entry; entry = open.pop()) await accepted(entry);
			};
			await Promise.all(Array.from({ length: workers }, work));
		},
		async verify() {
			const exact = async () => {
				const counts = await Promise.all(names.map(async name => [name, await countOf(system, name)]));
				const sums = await Promise.all(people.map(async user => [user, await total(user)]));
				assert.deepEqual(
					[...counts, ...sums],
					[...names.map(name => [name, picked(name, all)]), ...people.map(user => [user, bought(user, all)])]
				);
			};
			await eventually(exact, "everything to count exactly once");
			await settled(system);
			await exact();
			assert.deepEqual(surprises, []);
		}
	};
}
