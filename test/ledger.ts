// Records everything that the load generator sends, and verifies that in the end every entry counts exactly once, whatever happened meanwhile.
import assert from "node:assert/strict";
import { grpcClient } from "./client.grpc.ts";
import { eventually, fresh } from "./client.ts";
import { createLoadGenerator, type Entry, type LoadOptions } from "./load-generator.ts";
import { countOf, waitUntilCounted } from "./selections.story.ts";
import { ownName, type System } from "./system.ts";

export interface Ledger {
	/** Everything sent so far, the oldest first. */
	readonly entries: readonly Entry[];
	readonly names: readonly string[];
	readonly userIDs: readonly string[];
	acknowledged(): number;
	/** Starts the clients. */
	startLoad(): void;
	/** Stops the clients, and waits for their pending requests. */
	stopLoad(): Promise<void>;
	/** Waits until `more` further entries have been acknowledged. */
	untilAcknowledged(more: number, timeoutMs?: number): Promise<void>;
	/** Checks that all acknowledged entries count and nothing more than was sent; to be called before retries. */
	checkAcknowledged(timeoutMs?: number): Promise<void>;
	/** Sends all unacknowledged entries again, and some of the acknowledged ones, under the same ids. */
	retryAll(timeoutMs?: number): Promise<void>;
	/** Checks in every API that every entry counts exactly once. */
	verify(timeoutMs?: number): Promise<void>;
	/** The number of picks of each name and the cents of each user, over the selected entries. */
	sums(of?: (entry: Entry) => boolean): Map<string, number>;
}

export interface LedgerOptions extends Partial<LoadOptions> {
	users?: number;
}

const CONCURRENCY = 50;
const acknowledged = (entry: Entry) => entry.acknowledged;

/** Runs `work` for all items, `atOnce` at a time. */
export async function forEachConcurrently<T>(
	items: readonly T[],
	work: (item: T) => Promise<unknown>,
	atOnce = CONCURRENCY
): Promise<void> {
	const left = [...items].reverse();
	const worker = async () => {
		for (let item = left.pop(); item !== undefined; item = left.pop()) await work(item);
	};
	await Promise.all(Array.from({ length: atOnce }, worker));
}

export async function openLedger(system: System, { workers = 12, users = 5, thinkMs }: LedgerOptions = {}): Promise<Ledger> {
	const names = [ownName(), ownName()];
	const before = new Map(await Promise.all(names.map(async name => [name, await countOf(system, name)] as const)));
	const userIDs = Array.from({ length: users }, () => fresh("crash"));
	const load = createLoadGenerator(system, names, userIDs, { workers, thinkMs });
	const { entries, unexpectedAnswers } = load;

	const sums = (of: (entry: Entry) => boolean = () => true) => {
		const all = new Map([...before, ...userIDs.map(user => [user, 0] as const)]);
		const add = (to: string, number: number) => all.set(to, (all.get(to) as number) + number);
		for (const entry of entries) {
			if (!of(entry)) continue;
			if (entry.kind === "pick") add(entry.body.name, 1);
			else add(entry.body.user_id, Math.round(entry.body.amount * 100));
		}
		return all;
	};

	/** The same sums, as the system's APIs return them. */
	async function readSums(): Promise<Map<string, number>> {
		const grpc = grpcClient(system.grpc);
		const cents = async (user: string) => {
			const { balances } = (await grpc.getBalance(user)) as { balances: { total: number } };
			return [user, Math.round(balances.total * 100)] as const;
		};
		try {
			const counts = names.map(async name => [name, await countOf(system, name)] as const);
			return new Map(await Promise.all([...counts, ...userIDs.map(cents)]));
		} finally {
			grpc.close();
		}
	}

	return {
		entries,
		names,
		userIDs,
		acknowledged: load.acknowledged,
		startLoad: load.start,
		stopLoad: load.stop,
		sums,
		async untilAcknowledged(more, timeoutMs) {
			const wanted = load.acknowledged() + more;
			const reached = () => assert.ok(load.acknowledged() >= wanted, `${load.acknowledged()} of ${wanted}`);
			await eventually(reached, `${more} more acknowledgements`, timeoutMs);
		},
		async checkAcknowledged(timeoutMs) {
			const [least, most] = [sums(acknowledged), sums()];
			const check = async () => {
				for (const [what, seen] of await readSums()) {
					const range = [least.get(what) as number, most.get(what) as number] as const;
					assert.ok(seen >= range[0] && seen <= range[1], `${what}: ${seen}, not ${range.join(" to ")}`);
				}
			};
			await eventually(check, "all acknowledged entries to count", timeoutMs);
		},
		async retryAll(timeoutMs = 60_000) {
			const known = entries.filter(acknowledged);
			const open = [...entries.filter(one => !one.acknowledged), ...known.slice(-20), ...known.slice(0, 20)];
			await forEachConcurrently(open, entry =>
				eventually(
					async () => assert.ok(await load.post(entry), unexpectedAnswers.at(-1)),
					`${JSON.stringify(entry)} to be accepted`,
					timeoutMs
				)
			);
		},
		async verify(timeoutMs) {
			const exact = async () => assert.deepEqual(await readSums(), sums());
			await eventually(exact, "every entry to count exactly once", timeoutMs);
			await waitUntilCounted(system);
			await exact();
			assert.deepEqual(unexpectedAnswers, []);
		}
	};
}
