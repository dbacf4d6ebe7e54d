// A crowd of clients that keeps book: what it has sent, and what was acknowledged. Whatever happens to the system meanwhile,
// in the end every entry counts exactly once.
import assert from "node:assert/strict";
import { grpcClient } from "./client.grpc.ts";
import { openSocket, type Socket } from "./client.socket.ts";
import { eventually, fresh, httpClient } from "./client.ts";
import { countOf, settled } from "./selections.story.ts";
import { ownName, type System } from "./system.ts";

interface Pick {
	name: string;
	id: string;
	user_id: string;
}
interface Purchase {
	id: string;
	user_id: string;
	amount: number;
}
type Entry = { acknowledged: boolean } & ({ kind: "pick"; body: Pick } | { kind: "purchase"; body: Purchase });

const doors = { pick: { path: "/api/selections/async", status: 202 }, purchase: { path: "/api/purchases", status: 201 } };
const pause = (ms: number) => new Promise(resolve => setTimeout(resolve, ms));
const any = <T>(from: readonly T[]) => from[Math.floor(Math.random() * from.length)] as T;

export interface Ledger {
	/** Begins to pick and to buy, as fast as it is answered. */
	burst(): void;
	/** Ends the burst; what is under way may still be answered. */
	calm(): Promise<void>;
	acknowledged(): number;
	/** Waits until this many more have been acknowledged. */
	untilAcknowledged(more: number, timeoutMs?: number): Promise<void>;
	/** What was acknowledged is counted, and no more than was sent: before anything is tried again. */
	holds(): Promise<void>;
	/** Tries again what was not acknowledged, and some of what was, under the same ids. */
	settle(timeoutMs?: number): Promise<void>;
	/** Every entry counts exactly once, at every door that tells. */
	verify(): Promise<void>;
}

export async function openLedger(system: System, { workers = 12, users = 5 } = {}): Promise<Ledger> {
	const names = [ownName(), ownName()];
	const before = new Map(await Promise.all(names.map(async name => [name, await countOf(system, name)] as const)));
	const people = Array.from({ length: users }, () => fresh("crash"));
	const entries: Entry[] = [];
	/** Answers that no outage excuses. */
	const surprises: string[] = [];
	let acknowledged = 0;
	let running = false;
	let crowd: Promise<void>[] = [];

	const acknowledge = (entry: Entry) => {
		if (!entry.acknowledged) acknowledged++;
		entry.acknowledged = true;
	};

	async function post(entry: Entry, url = any(system.urls)): Promise<boolean> {
		const { path, status } = doors[entry.kind];
		try {
			const answer = await httpClient(url).post(path, entry.body);
			if (answer.status === status) acknowledge(entry);
			else if (answer.status !== 503) surprises.push(`${answer.status} ${answer.text}`);
			return answer.status === status;
		} catch {
			// Refused, reset or never answered: nothing is known of it.
			return false;
		}
	}

	const anyPick = (): Entry => ({
		kind: "pick",
		acknowledged: false,
		body: { name: any(names), id: fresh("pick"), user_id: any(people) }
	});
	const anyPurchase = (): Entry => {
		const amount = Math.ceil(Math.random() * 10_000) / 100;
		return { kind: "purchase", acknowledged: false, body: { id: fresh("purchase"), user_id: any(people), amount } };
	};

	async function overHttp(): Promise<void> {
		while (running) {
			const entry = Math.random() < 0.6 ? anyPick() : anyPurchase();
			entries.push(entry);
			if (!(await post(entry))) await pause(50);
		}
	}

	async function overSocket(): Promise<void> {
		let socket: Socket | undefined;
		while (running) {
			const entry = anyPurchase();
			try {
				socket ??= await openSocket(any(system.wsUrls));
				entries.push(entry);
				const from = socket.frames.length;
				socket.send(entry.body);
				const answer = await socket.waitFor(({ code }) => code === "purchase" || code === "error", "an answer", { from });
				if (answer.code === "error" && answer.data.type !== "UNAVAILABLE") surprises.push(JSON.stringify(answer));
				if (answer.code === "purchase" && answer.data.id === entry.body.id) acknowledge(entry);
				if (answer.code === "error") await pause(50);
			} catch {
				socket?.close();
				socket = undefined;
				await pause(50);
			}
		}
		socket?.close();
	}

	const counted = (of: (entry: Entry) => boolean, name: string) =>
		entries.filter(one => one.kind === "pick" && one.body.name === name && of(one)).length;
	const cents = (of: (entry: Entry) => boolean, user: string) =>
		entries.reduce(
			(sum, one) =>
				sum + (one.kind === "purchase" && one.body.user_id === user && of(one) ? Math.round(one.body.amount * 100) : 0),
			0
		);

	async function total(user: string): Promise<number> {
		const grpc = grpcClient(system.grpc);
		const { balances } = (await grpc.getBalance(user).finally(grpc.close)) as { balances: { total: number } };
		return balances.total;
	}

	return {
		burst() {
			running = true;
			crowd = Array.from({ length: workers }, (_, n) => (n % 3 === 2 ? overSocket() : overHttp()));
		},
		async calm() {
			running = false;
			await Promise.all(crowd);
		},
		acknowledged: () => acknowledged,
		async untilAcknowledged(more, timeoutMs) {
			const wanted = acknowledged + more;
			await eventually(
				() => assert.ok(acknowledged >= wanted, `${acknowledged} of ${wanted}`),
				`${more} more acknowledgements`,
				timeoutMs
			);
		},
		async holds() {
			for (const name of names) {
				const [least, most] = [counted(one => one.acknowledged, name), counted(() => true, name)].map(
					n => n + (before.get(name) as number)
				);
				await eventually(async () => {
					const count = await countOf(system, name);
					assert.ok(count >= (least as number) && count <= (most as number), `${name}: ${count}, not ${least} to ${most}`);
				}, "what was acknowledged to be counted");
			}
			for (const user of people) {
				const [least, most] = [cents(one => one.acknowledged, user), cents(() => true, user)].map(sum => sum / 100);
				await eventually(async () => {
					const spent = await total(user);
					assert.ok(spent >= (least as number) && spent <= (most as number), `${user}: ${spent}, not ${least} to ${most}`);
				}, "what was bought to be in the wallet");
			}
		},
		async settle(timeoutMs = 60_000) {
			const again = entries.filter(one => one.acknowledged).slice(-20);
			const early = entries.filter(one => one.acknowledged).slice(0, 20);
			for (const entry of [...entries.filter(one => !one.acknowledged), ...again, ...early]) {
				await eventually(
					async () => assert.ok(await post(entry)),
					`${JSON.stringify(entry)} to be accepted; ${surprises.at(-1) ?? ""}`,
					timeoutMs
				);
			}
		},
		async verify() {
			const exact = async () => {
				const counts = await Promise.all(
					names.map(async name => [name, (await countOf(system, name)) - (before.get(name) as number)])
				);
				assert.deepEqual(
					counts,
					names.map(name => [name, counted(() => true, name)])
				);
				const spent = await Promise.all(people.map(async user => [user, await total(user)]));
				assert.deepEqual(
					spent,
					people.map(user => [user, cents(() => true, user) / 100])
				);
			};
			await eventually(exact, "everything to count exactly once");
			await settled(system);
			await exact();
			assert.deepEqual(surprises, []);
		}
	};
}
