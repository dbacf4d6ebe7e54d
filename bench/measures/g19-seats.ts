import { fork } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { join } from "node:path";
import { ServiceBroker, type ServiceSchema } from "moleculer";
import pg from "pg";
import type { Identity } from "../../contract/action.ts";
import { ContractValidator } from "../../contract/validator.ts";
import { type Database, openPostgres, database as withTables } from "../../mixins/database/database.ts";
import { outbox } from "../../mixins/outbox/outbox.ts";
import { relay } from "../../mixins/outbox/relay.ts";
import { embeddedLog } from "../../mixins/topics/embedded/embedded-log.ts";
import { kafkaLog } from "../../mixins/topics/kafka/kafka-log.ts";
import type { TopicLog } from "../../mixins/topics/topic-log.ts";
import { config } from "../../runtime/config.ts";
import { actions, topics } from "../../services/contract.ts";
import type { Caller } from "../../services/define-service.ts";
import { memoryCache } from "../../services/seats/seats.store.cache.ts";
import { sqlSeats } from "../../services/seats/seats.store.ts";
import { seats } from "../../services/seats/seats.ts";
import { eventually } from "../../test/client.ts";
import { scratchEmbedded, scratchPostgres } from "../../test/scratch.ts";
import { updateWhereFree } from "../baselines/update-where-free.ts";
import { cpuUsOf } from "../cpu.ts";
import type { Measure, Round } from "../measure.ts";
import { serverPids } from "../servers.ts";

const CALLERS = 256;
const CONNECTIONS = 10;
/** The seats of a show: the most that it can have. */
const SEATS = 20_000;
const FEW_SEATS = 1_000;
/** More than are sold in a round; a round also ends when all are sold. */
const SHOWS = 3;
/** All are sold, because ten buyers want each. */
const WANTED_SEATS = 100;
const BUYERS_EACH = 10;
const HOLD_SECONDS = 600;
const DAY_MS = 86_400_000;

interface BoxOffice {
	/** Opens a show with these seats. Resolves to its id. */
	open(seats: string[]): Promise<string>;
	/** Holds and confirms one seat. Resolves to false if another buyer has it. */
	buy(buyer: string, show: string, seat: string): Promise<boolean>;
	sold(show: string): Promise<number>;
	/** Vacuums and analyzes its tables, so that Postgres does not do so in the other side's round. */
	vacuum(): Promise<unknown>;
	/** Resolves once all messages have been sent. */
	settled?(): Promise<void>;
	/** Further processes. */
	pids?: number[];
	close(): Promise<unknown>;
}

/** The service as a gateway runs it. Its messages are sent by a relay in this process (embedded) or in one of its own. */
async function service(db: Database, log: TopicLog, isEmbedded: boolean): Promise<BoxOffice> {
	await log.create(Object.keys(topics).map(name => ({ name, partitions: 12, retentionMs: DAY_MS, maxBytes: 1024 * 1024 })));
	const broker = new ServiceBroker({ logger: false, validator: new ContractValidator(actions) });
	const seatsOutbox = outbox(db.knex, { contracts: topics, table: "seats_outbox" });
	const tables = withTables(db, new URL("../../services/seats/migrations/", import.meta.url));
	const mixins: Partial<ServiceSchema>[] = isEmbedded ? [tables, relay(seatsOutbox, log, { isAlone: true })] : [tables];
	const store = sqlSeats(db.knex, seatsOutbox, { holdSeconds: HOLD_SECONDS });
	broker.createService(seats(store, memoryCache(), { mixins, batches: isEmbedded ? 1 : 2 }));
	await broker.start();
	const call = broker.call.bind(broker) as Caller["call"];
	const as = (id: string, role: Identity["role"] = "user") => ({
		meta: { caller: { id, role, session: "bench", expiresAtMs: Date.now() + DAY_MS } }
	});
	return {
		async open(seats) {
			const asked = { name: "Rush", startsAt: new Date(Date.now() + DAY_MS).toISOString(), seats };
			return (await call("seats.createShow", asked, as("admin", "admin"))).showId;
		},
		async buy(buyer, id, seat) {
			try {
				const { holdId } = await call("seats.hold", { id, seats: [seat] }, as(buyer));
				await call("seats.confirm", { id: holdId }, as(buyer));
				return true;
			} catch (error) {
				if ((error as { type?: string }).type === "SEATS_TAKEN") return false;
				throw error;
			}
		},
		async sold(id) {
			const { seats } = await call("seats.seats", { id });
			return seats.filter(({ status }) => status === "sold").length;
		},
		vacuum: async () => db.knex.raw("vacuum analyze"),
		async settled() {
			const isEmpty = async () => {
				if ((await seatsOutbox.next(1)).length > 0) throw new Error(`${seatsOutbox.table} is not empty`);
			};
			await eventually(isEmpty, "all messages to have left");
		},
		/** Closes its database too. */
		close: () => broker.stop()
	};
}

/** How many more seats are sold than there are when ten buyers want each. */
async function soldTwice({ open, buy, sold }: BoxOffice): Promise<number> {
	const seats = Array.from({ length: WANTED_SEATS }, (_, n) => `A${n + 1}`);
	const show = await open(seats);
	const wanted = seats.flatMap(seat => Array<string>(BUYERS_EACH).fill(seat));
	const answers = await Promise.all(wanted.map(seat => buy(`buyer-${randomUUID()}`, show, seat)));
	const accepted = answers.filter(Boolean).length;
	if (accepted !== (await sold(show))) throw new Error(`${accepted} were accepted, ${await sold(show)} are stored`);
	return accepted - WANTED_SEATS;
}

/** Sells the seats of some shows, one after the other, until the time is up or everything is sold. Only the sale counts, also for the CPU time. */
async function selling(office: BoxOffice, ms: number, quick: boolean): Promise<Round> {
	const seats = Array.from({ length: quick ? FEW_SEATS : SEATS }, (_, n) => `${String.fromCharCode(65 + (n % 26))}${n + 1}`);
	const left: [show: string, seat: string][] = [];
	for (let n = 0; n < (quick ? 1 : SHOWS); n++) {
		const show = await office.open(seats);
		left.push(...seats.map((seat): [string, string] => [show, seat]));
	}
	await office.settled?.();
	await office.vacuum();
	left.reverse();
	const latenciesMs: number[] = [];
	const pids = [process.pid, ...Object.values(serverPids()), ...(office.pids ?? [])];
	const [startMs, startUs] = [performance.now(), cpuUsOf(pids)];
	const caller = async (buyer: string) => {
		for (let next = left.pop(); next && performance.now() - startMs < ms; next = left.pop()) {
			const sentMs = performance.now();
			if (!(await office.buy(buyer, ...next))) throw new Error("a seat was refused that nobody else wanted");
			latenciesMs.push(performance.now() - sentMs);
		}
	};
	await Promise.all(Array.from({ length: CALLERS }, () => caller(`buyer-${randomUUID()}`)));
	await office.settled?.();
	const elapsedMs = performance.now() - startMs;
	const metrics = { cpuUs: (cpuUsOf(pids) - startUs) / latenciesMs.length, soldTwice: await soldTwice(office) };
	await office.settled?.();
	return { operations: latenciesMs.length, elapsedMs, latenciesMs, metrics };
}

interface Offices {
	ours: BoxOffice;
	theirs: BoxOffice;
	close(): Promise<unknown>;
}

async function onPostgres(): Promise<Offices> {
	const { url = "", db, remove } = await scratchPostgres();
	const own = openPostgres(url, { maxConnections: CONNECTIONS });
	const log = kafkaLog({ brokers: config.kafkaBrokers, clientId: "bench", replication: config.topicReplication });
	const ours = await service(own, log, false);
	const relays = fork(join(import.meta.dirname, "../relays.process.ts"), [url, "seats"]);
	await once(relays, "message");
	const pool = new pg.Pool({ connectionString: url, max: CONNECTIONS });
	const statement = async (sql: string, values: unknown[]) => {
		const { rowCount, rows } = await pool.query(sql, values);
		return { count: rowCount ?? 0, first: rows[0] };
	};
	const theirs = await updateWhereFree(statement, HOLD_SECONDS, () => pool.end());
	return {
		ours: { ...ours, pids: [relays.pid!] },
		theirs,
		async close() {
			relays.kill("SIGKILL");
			await Promise.all([ours.close(), theirs.close()]);
			await log.close();
			await db.close();
			await remove();
		}
	};
}

async function onEmbedded(): Promise<Offices> {
	const { db, remove } = await scratchEmbedded();
	const log = embeddedLog(db.knex);
	const ours = await service(db, log, true);
	// A database of its own, opened like ours: two sessions cannot share one.
	const bare = await scratchEmbedded();
	const { client } = bare.db.knex;
	const statement = async (sql: string, values: unknown[]) => {
		const connection = await client.acquireConnection();
		try {
			const { rowCount, rows } = await connection.query(sql, values);
			return { count: rowCount ?? 0, first: rows[0] };
		} finally {
			client.releaseConnection(connection);
		}
	};
	const theirs = await updateWhereFree(statement, HOLD_SECONDS, () => bare.db.close());
	return {
		ours,
		theirs,
		async close() {
			await Promise.all([ours.close(), theirs.close()]);
			await log.close();
			await Promise.all([remove(), bare.remove()]);
		}
	};
}

const measure = (id: string, where: string, layout: string, openOffices: () => Promise<Offices>): Measure => ({
	id,
	title: `seats held and confirmed, ${CALLERS} callers, ${where}: \`seats.hold\` and \`seats.confirm\` with all that they take, their messages on the topic`,
	against:
		"one conditional `UPDATE … WHERE status = 'free'` a request, and one to confirm, each its own transaction, on the same Postgres",
	layout,
	targets: [
		{ metric: "rate", least: 3 },
		{ metric: "soldTwice", most: 0, difference: true }
	],
	async open({ quick }) {
		const { ours, theirs, close } = await openOffices();
		return {
			ours: { name: "seats", round: ms => selling(ours, ms, quick), pids: () => ours.pids ?? [] },
			baseline: { name: "UPDATE per request", round: ms => selling(theirs, ms, quick) },
			close: async () => void (await close())
		};
	}
});

export const heldSeats = measure(
	"G19",
	"on Postgres",
	"both answer in the client's process, as in a gateway's, with 10 connections each; the relay in a node's of its own. A round lasts until all messages have left",
	onPostgres
);
export const embeddedSeats = measure(
	"G19-embedded",
	"on the embedded Postgres",
	"one process; each side has a database",
	onEmbedded
);
