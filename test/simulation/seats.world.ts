// Seats on a real Postgres in virtual time: holds, confirmations, expiry and the fair queue, on one node or on two whose clocks differ by a minute.
import assert from "node:assert/strict";
import type { Identity } from "../../contract/action.ts";
import { outbox } from "../../mixins/outbox/outbox.ts";
import { equationOf } from "../../mixins/reservation/ledger-check.ts";
import { topics as contracts } from "../../services/contract.ts";
import type { Show } from "../../services/seats/seats.contract.ts";
import { memoryCache, type StatusCache } from "../../services/seats/seats.store.cache.ts";
import { sqlSeats } from "../../services/seats/seats.store.ts";
import { seats } from "../../services/seats/seats.ts";
import { noTopics } from "../no-topics.ts";
import { type EmbeddedPostgres, openEmbeddedPostgres } from "./embedded-postgres.ts";
import { serverNamed } from "./injected-faults.ts";
import { callUntilAnswered, createNode } from "./nodes.ts";
import { answersChecker, type SimulatedShow } from "./seats.answers.check.ts";
import { type Known, seatsChecker } from "./seats.check.ts";
import { seatsClients } from "./seats.clients.ts";
import { readState, type State } from "./seats.state.ts";
import { virtualPostgres } from "./virtual-postgres.ts";
import { type Opened, simulate, type World, type WorldContext } from "./world.ts";

const SKEW_MS = 60_000;
const CATEGORIES = { A: "stalls", B: "circle" };
const MAX_OPENS_IN_MS = 10_000;

const identity = (id: string): Identity => ({ id, role: "user", session: id, expiresAtMs: Number.MAX_SAFE_INTEGER });
const BUYERS = ["ann", "bob", "cy"].map(identity);
/** They wait in queues and buy nothing. */
const CROWD = ["dan", "eve", "fay", "gus", "hal"].map(identity);

/** The cache that all nodes share; it may lose its data, or be unavailable, which is as if it were empty. */
function modelCache({ scheduler, faults }: WorldContext) {
	const server = serverNamed("redis", scheduler, faults);
	let cache = memoryCache();
	const port: StatusCache = {
		get: async (showId, revision) => {
			const found = await server.request("get", () => cache.get(showId, revision)).catch(() => undefined);
			return found;
		},
		set: (showId, revision, letters) => void server.request("set", () => cache.set(showId, revision, letters)).catch(() => {})
	};
	const lose = () => {
		cache = memoryCache();
	};
	return { port, server, lose };
}

const newSeats = (perRow: number) =>
	Object.entries(CATEGORIES).flatMap(([row, category], n) =>
		Array.from({ length: perRow }, (_, seat) => ({
			seat: `${row}${seat + 1}`,
			row,
			number: seat + 1,
			category,
			price: 12.34 + n
		}))
	);

function seatsWorld(postgres: EmbeddedPostgres, context: WorldContext): World {
	const { scheduler, faults } = context;
	const { random, nowMs } = scheduler;
	const known: Known = {
		holdMs: random.pick([2_000, 8_000, 30_000]),
		queues: new Map(),
		released: new Set(),
		confirmed: new Map()
	};
	const states: State[] = [];
	const checker = seatsChecker(known);
	const answers = answersChecker(states, known, checker);
	let lastMessage = 0;

	const observe = async (beganAtMs: number) => {
		try {
			const state = await readState(postgres.query, nowMs(), lastMessage);
			lastMessage = state.messages.at(-1)?.id ?? lastMessage;
			states.push(state);
			if (faults.isOver) known.calmSinceMs ??= nowMs();
			checker.afterCommit(state, beganAtMs);
		} catch (error) {
			scheduler.fail(error as Error);
		}
	};
	const server = virtualPostgres(postgres.query, scheduler, faults, observe);
	const cache = modelCache(context);

	const nodes = random.pick([[0], [0, 0], [0, SKEW_MS], [0, -SKEW_MS]]).map((skewMs, n) =>
		createNode(
			`node-${n + 1}`,
			scheduler,
			({ broker, actor }) => {
				actor.skewMs = skewMs;
				const knex = server.connect(actor);
				const box = outbox(knex, { contracts, table: "seats_outbox" });
				const store = sqlSeats(knex, box, { holdSeconds: known.holdMs / 1_000 });
				broker.createService(seats(store, cache.port, { sweeps: true, admission: {}, mixins: [noTopics] }));
			},
			({ actor }) => server.disconnect(actor)
		)
	);

	const shows: SimulatedShow[] = [];
	const clients = seatsClients({
		scheduler,
		nodes,
		answers,
		known,
		shows,
		buyers: BUYERS.slice(0, random.between(1, BUYERS.length))
	});
	const call = callUntilAnswered(nodes, random);

	const createShow = async () => {
		const all = newSeats(random.pick([2, 5, 15]));
		const queue = random.chance(0.4)
			? { opensAtMs: nowMs() + random.between(0, MAX_OPENS_IN_MS), admitPerSecond: random.pick([0.5, 1, 2]) }
			: undefined;
		const { showId } = (await call("seats.createShow", {
			name: "Hamlet",
			startsAt: new Date(nowMs() + 86_400_000).toISOString(),
			seats: all,
			...(queue && { queue: { opensAt: new Date(queue.opensAtMs).toISOString(), admitPerSecond: queue.admitPerSecond } })
		})) as Show;
		if (queue) known.queues.set(showId, queue);
		shows.push({ showId, seats: new Map(all.map(({ seat, category, price }) => [seat, { category, price }])) });
	};

	return {
		nodes,
		servers: [server, cache.server],
		loseData: cache.lose,
		async runClients() {
			await scheduler.waitFor(observe(nowMs()));
			for (let n = 0; n < random.between(1, 2); n++) await createShow();
			const pauseMs = random.pick([50, 1_000, 5_000]);
			const crowded = shows.filter(({ showId }) => known.queues.has(showId));
			await Promise.all([
				...Array.from({ length: random.between(2, 6) }, () => clients.shop(pauseMs)),
				...crowded.flatMap(show => CROWD.map(account => clients.queueUp(account, show, MAX_OPENS_IN_MS)))
			]);
		},
		isIdle: () => {
			const { holds, queue } = states.at(-1)!;
			return [...holds.values()].every(({ state }) => state !== "reserved") && [...queue.values()].every(one => one.isAdmitted);
		},
		async check() {
			const { broken, reserved } = await equationOf(postgres.knex, "seats");
			assert.deepEqual({ broken, reserved }, { broken: [], reserved: 0 }, "the ledger");
		}
	};
}

/** One seed gives one history, except that Postgres itself draws the secret from which the lots of a queue come. */
export async function openSeats(): Promise<Opened> {
	const postgres = await openEmbeddedPostgres("seats");
	return {
		async simulate(seed, lines) {
			await postgres.reset();
			return simulate(seed, context => seatsWorld(postgres, context), undefined, lines);
		},
		close: postgres.close
	};
}
