// Sends many thousands of frames, most of them invalid, to the real system: each answer must match the contract, no socket may receive a frame of
// another user, and memory must not grow. More frames, or the same again: npm run test:fuzz -- --runs 100000 --seed 7
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { parseArgs } from "node:util";
import fc from "fast-check";
import { type Frame, openSocket } from "./client.socket.ts";
import { fresh } from "./client.ts";
import { type Fuzzed, type FuzzUsers, frames } from "./fuzz.frames.ts";
import { createOracle } from "./fuzz.oracle.ts";
import { trackOwner } from "./socket-owner.ts";
import { type System, startSystem } from "./system.ts";
import { JWT_SECRET, mint, newAccount } from "./tokens.ts";

const { runs, seed } = parseArgs({ options: { runs: { type: "string" }, seed: { type: "string" } }, strict: false }).values;
const RUNS = Number(runs ?? 10_000);
const SEED = Number(seed ?? Math.floor(Math.random() * 2 ** 31));
const REPLAY = `npm run test:fuzz -- --runs ${RUNS} --seed ${SEED}`;

const SOCKETS = 8;
/** Frames per batch. A connect follows each batch; its answer arrives after all earlier answers. */
const BATCH = 50;
/** Limit of V8's heap: a leak per frame would soon exceed it. */
const MAX_HEAP_MB = 200;
/** Limit of the process's memory: that heap, plus some 400 MB that the embedded Postgres allocates over time. */
const MAX_BYTES = 900 * 1024 * 1024;
/** Limit of growth after the first quarter of the frames; checked only if the run is longer than the 5 s between two metrics samples. */
const MAX_GROWTH_BYTES = 128 * 1024 * 1024;
const WARM_AFTER_FRAMES = 20_000;

const fuzzUsers = async (name: string): Promise<FuzzUsers> => {
	const accounts = await Promise.all(
		[newAccount(), newAccount()].map(async id => ({ id, token: await mint(id, { endsInMs: 86_400_000 }) }))
	);
	const stale = await mint(newAccount(), { endsInMs: -60_000 });
	const forged = await mint(accounts[0]!.id, { secret: "s".repeat(64) });
	return {
		guests: [`${name}-home`, `${name}-1`, `${name}-2`],
		accounts,
		badTokens: ["", "token", stale, forged],
		purchaseIDs: ["a", "b", "c"].map(id => `${name}-${id}`)
	};
};

const shown = (sent: Fuzzed) => JSON.stringify(typeof sent === "string" ? sent : [...sent]).slice(0, 300);
const answerOf = ({ code, data }: Frame): string | undefined => {
	if (code === "error") return `error ${data.type}`;
	if (code === "connected") return `connected ${data.user}`;
	if (code === "purchase") return `purchase ${data.user_id} ${data.amount}`;
	return undefined;
};

/** One socket that sends batches and compares every answer with the oracle. */
async function fuzzer(url: string, name: string, users: FuzzUsers) {
	const socket = await openSocket(url);
	const oracle = createOracle(users);
	const home = users.guests[0]!;
	const barrier = JSON.stringify({ code: "connect", data: { user: home } });
	await socket.request(barrier);
	oracle.answerTo(barrier);
	const owner = trackOwner();
	owner.connectedAs(home);
	owner.accept(socket.frames[0]!);

	return {
		socket,
		async send(batch: Fuzzed[]) {
			const all = [...batch, barrier];
			const expected = all.flatMap(sent => oracle.answerTo(sent) ?? []);
			const connectedAs = expected
				.filter(answer => answer.startsWith("connected "))
				.map(answer => answer.slice("connected ".length));
			const from = socket.frames.length;
			for (const sent of all) socket.send(sent);
			let connected = 0;
			await socket.waitFor(({ code }) => code === "connected" && ++connected === connectedAs.length, "the answers to a batch", {
				from
			});
			const received = socket.frames.splice(from);
			const lists = expected.filter(answer => answer === "list").length;
			assert.ok(received.filter(({ code }) => code === "Selections").length >= lists, "a list is missing");
			assert.deepEqual(
				received.flatMap(frame => answerOf(frame) ?? []).sort(),
				expected.filter(answer => answer !== "list").sort()
			);
			for (const user of connectedAs) owner.connectedAs(user);
			// A guest may buy for another guest: the sender gets that answer.
			for (const frame of received) if (frame.code !== "purchase") owner.accept(frame);
		},
		name
	};
}

const rssOf = async (system: System) => {
	const text = await (await fetch(`${system.metricsUrls[0]}/metrics`)).text();
	return Number(/^process_memory_rss{.*} (\S+)/m.exec(text)?.[1]);
};
const inMB = (bytes: number) => `${Math.round(bytes / 1024 / 1024)} MB`;

describe(`${RUNS} fuzzed frames on /ws (${REPLAY})`, () => {
	let system: System;
	before(async () => {
		const NODE_OPTIONS = `--max-old-space-size=${MAX_HEAP_MB}`;
		const limits = { MAX_FRAMES_PER_SECOND: "0", MAX_REQUESTS_PER_SECOND: "0", MAX_SOCKETS_PER_ACCOUNT: "0", LOG_LEVEL: "warn" };
		system = await startSystem({ profile: "embedded", env: { ...limits, JWT_SECRET, NODE_OPTIONS } });
	});
	after(() => system?.stop());

	it("are each answered as the contract says, and reveal no frame of another user", { timeout: 3_600_000 }, async () => {
		const bystander = await openSocket(system.wsUrl);
		await bystander.request({ code: "connect", data: { user: fresh("bystander") } });
		const names = Array.from({ length: SOCKETS }, (_, n) => `s${n}`);
		const usersPerSocket = await Promise.all(names.map(fuzzUsers));
		const fuzzers = await Promise.all(names.map((name, n) => fuzzer(system.wsUrl, name, usersPerSocket[n]!)));
		const rounds = Math.ceil(RUNS / SOCKETS / BATCH);
		const warm = Math.floor(rounds / 4);
		let warmBytes = 0;

		await Promise.all(
			fuzzers.map(async (one, n) => {
				for (let round = 0; round < rounds; round++) {
					if (round === warm && n === 0) warmBytes = await rssOf(system);
					const batch = fc.sample(frames(usersPerSocket[n]!), { seed: SEED + n * rounds + round, numRuns: BATCH });
					await one.send(batch).catch(error => {
						throw new Error(`${REPLAY}\nsocket ${one.name}: ${error.message}\n${batch.map(shown).join("\n")}`, { cause: error });
					});
				}
			})
		);
		const endBytes = await rssOf(system);
		console.log(
			`${rounds * BATCH * SOCKETS} frames; the process used ${inMB(warmBytes)} after a quarter of them, ${inMB(endBytes)} after all`
		);
		assert.ok(endBytes < MAX_BYTES, `the process uses ${inMB(endBytes)}`);
		if (warm * BATCH * SOCKETS >= WARM_AFTER_FRAMES)
			assert.ok(endBytes - warmBytes < MAX_GROWTH_BYTES, `the process has grown by ${inMB(endBytes - warmBytes)}`);
		assert.deepEqual(
			bystander.frames.map(({ code }) => code),
			["connected"]
		);
		for (const { socket } of fuzzers) assert.ok(socket.open);
		assert.equal(system.processes[0]!.ended, undefined);
	});
});
