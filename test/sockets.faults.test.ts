// Many sockets on two gateways: a misbehaving socket does not slow the others, and sockets of a killed gateway reconnect to the other one.
import assert from "node:assert/strict";
import { after, before, describe, it, type TestContext } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { kafkaLog } from "../mixins/topics/kafka/kafka-log.ts";
import { eventually, fresh } from "./client.ts";
import { INSPECTED, inspect } from "./inspector.ts";
import { type Clients, startClients } from "./sockets.process.ts";
import { type Measurement, nowUs, percentile } from "./sockets.readers.ts";
import { trade } from "./sockets.trade.ts";
import { type System, servers, startSystem } from "./system.ts";

const MIB = 1024 * 1024;
const READERS = 200;
const PAIRS = 3;
const PHASE_MS = 3_000;
const PUSH_EVERY_MS = 20;
/** This number of names makes a frame of 16 KB. */
const LONG = 190;
/** Longer than anything waits for another node. */
const FROZEN_MS = 12_000;
/** A p99 up to this value is always accepted. */
const NOISE_MS = 25;
const SCREENS = 5_000;
const BACK_WITHIN_MS = 5_000;
/** Time in which an idle machine with two cores connects 2,500 screens to one gateway: a slower machine gets proportionally more time. */
const QUIET_PACE_MS = 3_000;
const NAMES = ["a", "b", "c", "d"];
const layout = {
	"gateway-1": "api,socket",
	"gateway-2": "api,socket",
	others: "selections,summary,sync,purchase,wallet,users,products,inventory,orders,payment,seats"
};

describe("many sockets", () => {
	let system: System;
	let clients: Clients;
	let others: Clients;
	const log = kafkaLog({ brokers: (servers().KAFKA_BROKERS ?? "localhost:9092").split(","), clientId: "test", replication: 1 });
	before(async () => {
		system = await startSystem({
			profile: "cluster",
			layout,
			env: { SELECTION_NAMES: NAMES.join(), MAX_SOCKETS_PER_ADDRESS: "0", ...INSPECTED }
		});
		[clients, others] = [startClients(), startClients()];
	});
	after(async () => {
		clients?.end();
		others?.end();
		await log.close();
		await system?.stop();
	});

	const seqs = new Map<string, number>();
	/** Publishes messages for users' sockets: numbered per user, with their send time, and with `entries` additional entries. */
	async function push(users: string[], entries = 0) {
		const filler = Array.from({ length: entries }, (_, n) => ({ name: `${n}`.padEnd(60, "x"), count: 0 }));
		const records = users.map(user_id => {
			const seq = (seqs.get(user_id) ?? 0) + 1;
			seqs.set(user_id, seq);
			const selections = [{ name: "a", count: seq }, { name: "b", count: nowUs() }, ...filler];
			return { topic: "SynchronizationResults", key: user_id, value: JSON.stringify({ user_id, selections }) };
		});
		await eventually(() => log.append(records), "Kafka to accept the messages");
	}
	const allHave = (readers: Clients, user: string) =>
		eventually(
			async () => assert.equal(await readers.behind(user, seqs.get(user) ?? 0), 0),
			"all readers to have received the last push"
		);

	/** Pushes small frames to these users for a while. Resolves to the readers' measurements. */
	async function phase(users: string[]): Promise<Measurement> {
		await clients.measure();
		const untilMs = performance.now() + PHASE_MS;
		while (performance.now() < untilMs) await Promise.all([push(users), delay(PUSH_EVERY_MS)]);
		await allHave(clients, users[0] as string);
		return clients.measure();
	}

	/** Noise of the machine only increases latency: compare the fastest phases of each kind. */
	function assertAtMostDoubled(t: TestContext, quiet: Measurement[], busy: Measurement[]) {
		const latencies = (taken: Measurement[]) =>
			taken.map(({ p50Ms, p99Ms }) => `${p50Ms.toFixed(1)}/${p99Ms.toFixed(1)}`).join(", ");
		t.diagnostic(`p50/p99 ms of pushes to ${READERS} readers: alone ${latencies(quiet)}; beside ${latencies(busy)}`);
		const [alone, beside] = [quiet, busy].map(taken => Math.min(...taken.map(({ p99Ms }) => p99Ms))) as [number, number];
		assert.ok(beside <= 2 * Math.max(alone, NOISE_MS), `p99 ${beside} ms instead of ${alone} ms`);
		for (const { lost, closings } of [...quiet, ...busy]) {
			assert.equal(lost, 0);
			assert.deepEqual(Object.keys(closings), []);
		}
	}

	const metric = async (name: string) => {
		const text = await (await fetch(`${system.metricsUrls[0]}/metrics`)).text();
		return Number(new RegExp(`^${name}\\S* (\\d+)`, "m").exec(text)?.[1] ?? 0);
	};
	const slow = () => metric("plaza_sockets_slow");

	it("closes sockets that never read at a cost of at most 1 MiB each, without slowing other sockets", {
		timeout: 300_000
	}, async t => {
		const [user, silent] = [fresh("reader"), Array.from({ length: 10 }, () => fresh("silent"))];
		await clients.openReaders(system.wsUrl, [user], READERS);
		// One reading socket per user: what it has received was also sent to the user's other sockets.
		await others.openReaders(system.wsUrl, silent, 1);
		await phase([user]);

		const gateway = await inspect(system.process("gateway-1"));
		const before = await gateway.memory();
		await others.openNonReaders(system.wsUrl, silent, READERS / silent.length);
		let pushes = 0;
		let most = before;
		const fill = async () => {
			await push(silent, LONG);
			if (++pushes % 20 > 0) return;
			const now = await gateway.memory();
			if (now.usedBytes > most.usedBytes) most = now;
		};
		while ((await slow()) === 0) await fill();
		const enough = pushes;
		while ((await slow()) < READERS && pushes < 2 * enough) await fill();
		gateway.close();
		assert.equal(await slow(), READERS, `all are closed as slow, after ${pushes} frames`);
		const [used, rss] = [most.usedBytes - before.usedBytes, most.rssBytes - before.rssBytes].map(bytes => bytes / READERS / MIB);
		t.diagnostic(
			`${used?.toFixed(2)} MiB for each that never reads (resident ${rss?.toFixed(2)}), closed after ${enough} to ${pushes} frames`
		);
		assert.ok((used as number) <= 1, `${used} MiB each`);

		const [alone, beside]: [Measurement[], Measurement[]] = [[], []];
		for (let pair = 0; pair < PAIRS; pair++) {
			alone.push(await phase([user]));
			await others.openNonReaders(system.wsUrl, silent, READERS / silent.length);
			for (let n = 0; n < enough * 0.8; n++) await push(silent, LONG);
			await Promise.all(silent.map(one => allHave(others, one)));
			beside.push(await phase([user, ...silent]));
			await others.dropNonReaders();
		}
		assertAtMostDoubled(t, alone, beside);
	});

	it("closes a flooding client with 1008 every time, without slowing other sockets", { timeout: 300_000 }, async t => {
		const user = fresh("reader");
		await clients.openReaders(system.wsUrl, [user], READERS);
		await phase([user]);
		const [alone, beside]: [Measurement[], Measurement[]] = [[], []];
		for (let pair = 0; pair < PAIRS; pair++) {
			alone.push(await phase([user]));
			await others.flood(system.wsUrl, "127.0.0.1");
			beside.push(await phase([user]));
			const flooded = await others.endFlood();
			t.diagnostic(JSON.stringify(flooded));
			assert.deepEqual(Object.keys(flooded.closings), ["1008"]);
		}
		assertAtMostDoubled(t, alone, beside);
	});

	it("sends everything to the sockets of a gateway that was frozen, without closing them", { timeout: 300_000 }, async () => {
		const user = fresh("reader");
		await clients.openReaders(system.wsUrl, [user], READERS);
		await phase([user]);
		const { pid } = system.process("gateway-1");
		process.kill(pid, "SIGSTOP");
		try {
			const untilMs = performance.now() + FROZEN_MS;
			while (performance.now() < untilMs) await Promise.all([push([user]), delay(PUSH_EVERY_MS)]);
		} finally {
			process.kill(pid, "SIGCONT");
		}
		await allHave(clients, user);
		const { lost, closings } = await clients.measure();
		assert.deepEqual({ lost, closings }, { lost: 0, closings: {} });
	});

	it("sends everything to the sockets of one gateway while the other is restarted, without closing them", {
		timeout: 300_000
	}, async () => {
		const user = fresh("reader");
		await clients.openReaders(system.wsUrl, [user], READERS);
		await phase([user]);
		const other = system.process("gateway-2");
		let isBack = false;
		const restarting = (async () => {
			await other.kill("SIGTERM");
			other.start();
			await system.ready();
			isBack = true;
		})();
		while (!isBack) await Promise.all([push([user]), delay(PUSH_EVERY_MS), Promise.race([restarting, delay(0)])]);
		await restarting;
		await allHave(clients, user);
		const { lost, closings } = await clients.measure();
		assert.deepEqual({ lost, closings }, { lost: 0, closings: {} });
	});

	it("reconnects all 5,000 screens to the other gateway when theirs is killed with kill -9, and shows them correct values", {
		timeout: 300_000
	}, async t => {
		const clientProcesses = [clients, others];
		const users = Array.from({ length: SCREENS }, () => fresh("screen"));
		const gateways = system.wsUrls.map((ws, n) => ({ ws, http: system.urls[n] as string }));
		/** Opens the screens of one half; the order is the same in both client processes. */
		const quarter = SCREENS / 4;
		const open = (first: number) =>
			Promise.all(
				clientProcesses.map((client, n) =>
					client.openScreens(users.slice((2 * first + n) * quarter, (2 * first + n + 1) * quarter), gateways, first)
				)
			);
		const refusals = async () => (await Promise.all(clientProcesses.map(client => client.results()))).map(one => one.refusals);
		const all = async (what: "connected" | "informed" | "synchronized", howMany: number) => {
			const startMs = performance.now();
			await eventually(
				async () => {
					const counted = await Promise.all(clientProcesses.map(client => client.informed()));
					assert.equal(
						counted.reduce((sum, one) => sum + one[what], 0),
						howMany,
						JSON.stringify([counted, await refusals()])
					);
				},
				`${howMany} screens to be ${what}`,
				180_000
			);
			return performance.now() - startMs;
		};
		const waits = async (half: number) => {
			const results = await Promise.all(clientProcesses.map(client => client.results()));
			return Float64Array.from(results.flatMap(({ waitedMs }) => waitedMs.slice(half * quarter, (half + 1) * quarter))).sort();
		};
		const said = (sorted: Float64Array) => `${percentile(sorted, 0.5).toFixed()}/${percentile(sorted, 1).toFixed()}`;

		await open(0);
		await all("synchronized", SCREENS / 2);
		const pace = await waits(0);
		await open(1);
		await all("informed", SCREENS);
		await all("synchronized", SCREENS);
		const trading = trade(system.urls, NAMES, users);
		t.after(trading.end);
		await eventually(() => assert.ok(trading.acknowledged() > 20), "the first acknowledgements");

		await system.process("gateway-2").kill("SIGKILL");
		await all("connected", SCREENS);
		const back = await waits(1);
		const informedMs = await all("informed", SCREENS);
		const synchronizedMs = await all("synchronized", SCREENS);
		await trading.end();
		t.diagnostic(
			`connected, half of them/all, ms: 2,500 at first ${said(pace)}, 2,500 after the kill ${said(back)}; all informed ${informedMs.toFixed()} ms later, synchronized ${synchronizedMs.toFixed()} ms after that`
		);

		await eventually(async () => {
			const wrong = (await Promise.all(clientProcesses.map(client => client.results()))).flatMap(({ screens }) =>
				screens.filter(
					({ user, counts, balance }) =>
						balance !== trading.totalOf(user) || NAMES.some(name => counts[name] !== trading.counts[name])
				)
			);
			assert.equal(wrong.length, 0, JSON.stringify({ counts: trading.counts, wrong: wrong.slice(0, 3) }));
		}, "every screen to show correct values");
		const results = await Promise.all(clientProcesses.map(client => client.results()));
		t.diagnostic(`${trading.acknowledged()} acknowledged; refused: ${JSON.stringify(results.map(({ refusals }) => refusals))}`);
		assert.deepEqual(trading.unexpectedAnswers, []);
		assert.deepEqual(
			results.map(({ decreases }) => decreases),
			[0, 0]
		);
		const boundMs = BACK_WITHIN_MS * Math.max(1, percentile(pace, 1) / QUIET_PACE_MS);
		assert.ok(percentile(back, 1) <= boundMs, `${said(back)} ms, of ${boundMs} ms`);
	});
});
