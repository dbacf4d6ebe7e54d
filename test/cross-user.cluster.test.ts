// A thousand people on two gateways connect, disconnect, change their user id, pick and buy: nobody receives a frame of another user.
// To repeat a run: CROSS_USER_SEED=7 npm run test:cluster -- test/cross-user.cluster.test.ts
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import fc from "fast-check";
import { type Frame, openSocket, type Socket } from "./client.socket.ts";
import { eventually, fresh, httpClient } from "./client.ts";
import { signingOutStory } from "./signing-out.story.ts";
import { type SocketOwner, trackOwner } from "./socket-owner.ts";
import { ownName, type System, startSystem } from "./system.ts";
import { JWT_SECRET, mint, newAccount } from "./tokens.ts";

const SEED = Number(process.env.CROSS_USER_SEED ?? Math.floor(Math.random() * 2 ** 31));
const PEOPLE = 1_000;
/** Number of people who act at the same time; the sockets of the others stay open. */
const CONCURRENCY = 20;
const MAX_TABS = 2;

/** Ids that one person may use, with their tokens where they are accounts. */
type Person = { id: string; token?: string }[];

interface Tab {
	socket: Socket;
	owner: SocketOwner;
}

const STEPS = ["open", "open", "drop", "close", "become", "become", "buy", "buy", "pick", "synchronise"] as const;
const anyStep = fc.record({ what: fc.constantFrom(...STEPS), which: fc.nat(1_000) });
type Step = typeof anyStep extends fc.Arbitrary<infer S> ? S : never;
const anyLife = fc.array(anyStep, { minLength: 8, maxLength: 16, size: "max" });

const personOf = async (n: number): Promise<Person> => {
	if (n % 2 === 0) return [{ id: fresh("guest") }, { id: fresh("guest") }];
	return Promise.all([newAccount(), newAccount()].map(async id => ({ id, token: await mint(id) })));
};

describe(`a thousand people on two gateways (CROSS_USER_SEED=${SEED})`, () => {
	let system: System;
	before(async () => {
		system = await startSystem({
			profile: "cluster",
			env: { JWT_SECRET, MAX_REQUESTS_PER_SECOND: "0", MAX_FRAMES_PER_SECOND: "0" }
		});
	});
	after(() => system?.stop());

	signingOutStory(() => system);

	it("receive their own frames, and no frame of another user", { timeout: 600_000 }, async () => {
		const lives = fc.sample(anyLife, { seed: SEED, numRuns: PEOPLE });
		const name = ownName();
		const any = <T>(all: readonly T[], which: number) => all[which % all.length] as T;
		const bearer = ({ token }: Person[number]): Record<string, string> =>
			token === undefined ? {} : { authorization: `Bearer ${token}` };
		const tabs: { person: Person; tab: Tab }[] = [];
		const foreign: string[] = [];
		let own = 0;

		const openTab = async (person: Person, which: number): Promise<Tab> => {
			const owner = trackOwner();
			const onFrame = (frame: Frame) => {
				try {
					if (owner.accept(frame)) own++;
				} catch (error) {
					foreign.push((error as Error).message);
				}
			};
			const tab = { socket: await openSocket(any(system.wsUrls, which), { onFrame }), owner };
			tabs.push({ person, tab });
			become(tab, any(person, which));
			await waitUntilConnected(tab);
			return tab;
		};
		/** A socket that the server closed counts as dropped. */
		const waitUntilConnected = ({ socket }: Tab, from = 0) =>
			socket
				.waitFor(({ code }) => code === "connected", "a socket to be connected", { from })
				.catch(error => {
					if (socket.open) throw error;
				});
		const become = ({ socket, owner }: Tab, { id, token }: Person[number]) => {
			owner.connectedAs(id);
			socket.send({ code: "connect", data: { user: id, token } });
		};
		const post = (path: string, body: object, as: Person[number], which: number) =>
			httpClient(any(system.urls, which)).post(path, { ...body, user_id: as.id }, bearer(as));

		const runSteps = async (person: Person, steps: Step[]) => {
			const open: Tab[] = [];
			for (const { what, which } of steps) {
				const tab = any(open, which);
				const as = any(person, which);
				if (what === "open" && open.length < MAX_TABS) open.push(await openTab(person, which));
				else if (what === "pick") await post("/api/selections/async", { name, id: fresh() }, as, which);
				else if (what === "synchronise") await post("/api/selections/synchronization", {}, as, which);
				else if (what === "buy" && !tab) await post("/api/purchases", { amount: 1 }, as, which);
				else if (!tab?.socket.open) continue;
				else if (what === "become") become(tab, as);
				else if (what === "buy") {
					// Connect as this user first: the purchase must not belong to the user before.
					become(tab, as);
					tab.socket.send({ user_id: as.id, amount: 1 });
				} else if (what === "drop" || what === "close") {
					open.splice(open.indexOf(tab), 1);
					tab.socket[what]();
				}
			}
		};

		/** Runs `act` for all items, a limited number at a time. */
		const forAll = async <T>(all: T[], act: (one: T, n: number) => Promise<void>) => {
			const left = [...all.entries()];
			const worker = async () => {
				for (let next = left.pop(); next; next = left.pop()) await act(next[1], next[0]);
			};
			await Promise.all(Array.from({ length: CONCURRENCY }, worker));
		};

		await forAll(lives, async (steps, n) => runSteps(await personOf(n), steps));

		// Every pending frame has arrived when each open socket shows the total that the wallet returns.
		await forAll(tabs, async ({ person, tab }, n) => {
			const { socket } = tab;
			if (!socket.open) return;
			const as = any(person, n);
			const from = socket.frames.length;
			become(tab, as);
			await waitUntilConnected(tab, from);
			assert.equal((await post("/api/purchases", { amount: 1 }, as, n)).status, 201);
			await eventually(async () => {
				if (!socket.open) return;
				const { json } = await httpClient(any(system.urls, n)).get(`/api/wallet/${as.id}`, bearer(as));
				const last = socket.of("balance").findLast(({ data }) => data.user_id === as.id);
				assert.equal(last?.data.balances.total, json.balances.total);
			}, `the last balance of ${as.id}`);
		});

		const open = tabs.filter(({ tab }) => tab.socket.open).length;
		const errors = tabs.flatMap(({ tab }) => tab.socket.of("error")).filter(({ data }) => data.type !== "UNAVAILABLE");
		console.log(
			`${tabs.length} sockets of ${PEOPLE} people, ${open} open at the end, ${own} own frames, ${foreign.length} frames of other users`
		);
		assert.deepEqual(foreign, []);
		assert.deepEqual(errors, []);
		assert.ok(own > PEOPLE && open > 0, `${own} own frames, ${open} sockets open`);
		for (const { tab } of tabs) tab.socket.close();
	});
});
