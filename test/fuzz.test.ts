// Many thousands of frames, most of them wrong, against the real system: each is answered by what the contract says, nobody is shown what is
// somebody else's, and nothing grows.  More of them, or the same again: npm run test:fuzz -- --runs 100000 --seed 7
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { parseArgs } from "node:util";
import fc from "fast-check";
import { type Frame, openSocket } from "./client.socket.ts";
import { fresh } from "./client.ts";
import { type Cast, type Fuzzed, frames } from "./fuzz.frames.ts";
import { createOracle } from "./fuzz.oracle.ts";
import { followed } from "./socket-owner.ts";
import { type System, startSystem } from "./system.ts";
import { JWT_SECRET, mint, newAccount } from "./tokens.ts";

const { runs, seed } = parseArgs({ options: { runs: { type: "string" }, seed: { type: "string" } }, strict: false }).values;
const RUNS = Number(runs ?? 10_000);
const SEED = Number(seed ?? Math.floor(Math.random() * 2 ** 31));
const REPLAY = `npm run test:fuzz -- --runs ${RUNS} --seed ${SEED}`;

const SOCKETS = 8;
/** Sent in one go, and followed by a connect, which is answered after all that came before it. */
const BATCH = 50;
/** All that the process may use of V8's heap: what each frame left behind there would soon end it. */
const MAX_HEAP_MB = 200;
/** All that the process may come to: that heap, and some 400 MB that the embedded Postgres takes bit by bit as it is used. */
const MAX_BYTES = 900 * 1024 * 1024;
/** After the first quarter of the frames, where that takes longer than the 5 s between two figures. */
const MAX_GROWTH_BYTES = 128 * 1024 * 1024;
const WARM_AFTER_FRAMES = 20_000;

const castOf = async (name: string): Promise<Cast> => {
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

/** One socket that sends batches and holds every answer against the oracle. */
async function fuzzer(url: string, name: string, cast: Cast) {
	const socket = await openSocket(url);
	const oracle = createOracle(cast);
	const home = cast.guests[0]!;
	const barrier = JSON.stringify({ code: "connect", data: { user: home } });
	await socket.ask(barrier);
	oracle.answerTo(barrier);
	const whose = followed();
	whose.becomes(home);
	whose.sees(socket.frames[0]!);

	return {
		socket,
		async send(batch: Fuzzed[]) {
			const all = [...batch, barrier];
			const expected = all.flatMap(sent => oracle.answerTo(sent) ?? []);
			const becomes = expected.filter(answer => answer.startsWith("connected ")).map(answer => answer.slice("connected ".length));
			const from = socket.frames.length;
			for (const sent of all) socket.send(sent);
			let connected = 0;
			await socket.waitFor(({ code }) => code === "connected" && ++connected === becomes.length, "the answers to a batch", {
				from
			});
			const came = socket.frames.splice(from);
			const lists = expected.filter(answer => answer === "list").length;
			assert.ok(came.filter(({ code }) => code === "Selections").length >= lists, "a list is missing");
			assert.deepEqual(came.flatMap(frame => answerOf(frame) ?? []).sort(), expected.filter(answer => answer !== "list").sort());
			for (const user of becomes) whose.becomes(user);
			// One may buy for another guest: the answer is for who asked.
			for (const frame of came) if (frame.code !== "purchase") whose.sees(frame);
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

	it("are each answered as the contract says, and show nobody what is somebody else's", { timeout: 3_600_000 }, async () => {
		const bystander = await openSocket(system.wsUrl);
		await bystander.ask({ code: "connect", data: { user: fresh("bystander") } });
		const names = Array.from({ length: SOCKETS }, (_, n) => `s${n}`);
		const casts = await Promise.all(names.map(castOf));
		const fuzzers = await Promise.all(names.map((name, n) => fuzzer(system.wsUrl, name, casts[n]!)));
		const rounds = Math.ceil(RUNS / SOCKETS / BATCH);
		const warm = Math.floor(rounds / 4);
		let warmBytes = 0;

		await Promise.all(
			fuzzers.map(async (one, n) => {
				for (let round = 0; round < rounds; round++) {
					if (round === warm && n === 0) warmBytes = await rssOf(system);
					const batch = fc.sample(frames(casts[n]!), { seed: SEED + n * rounds + round, numRuns: BATCH });
					await one.send(batch).catch(error => {
						throw new Error(`${REPLAY}\nsocket ${one.name}: ${error.message}\n${batch.map(shown).join("\n")}`, { cause: error });
					});
				}
			})
		);
		const endBytes = await rssOf(system);
		console.log(
			`${rounds * BATCH * SOCKETS} frames; the process had ${inMB(warmBytes)} after a quarter of them, ${inMB(endBytes)} after all`
		);
		assert.ok(endBytes < MAX_BYTES, `the process has ${inMB(endBytes)}`);
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
