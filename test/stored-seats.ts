// Reads what is stored of one show, in the tables and on the topic: on the servers of the cluster, or in the directory of an embedded system that has ended.
import type { Knex } from "knex";
import { openEmbedded } from "../mixins/database/embedded.ts";
import { embeddedLog } from "../mixins/topics/embedded/embedded-log.ts";
import { kafkaRecords, psql } from "./outside.ts";
import type { SeatChange, StoredSeats } from "./seat-audit.ts";

type Rows = unknown[][];
type Query = (sql: string) => Promise<Rows>;

const CHANGES = "seats.updated";
const MAX_RECORDS = 1_000;

/** The seat of an item `<show>/<seat>`. */
const seatOf = (item: unknown) => String(item).slice(String(item).indexOf("/") + 1);

async function read(query: Query, showId: string, changes: SeatChange[]): Promise<StoredSeats> {
	const ofShow = `item like '${showId}/%'`;
	const movements = await query(`select holder, item, kind, quantity from seats_movements where ${ofShow}`);
	const levels = await query(`select item, stock, reserved from seats_levels where ${ofShow}`);
	const [[version] = []] = await query(`select version from shows where id = '${showId}'`);
	return {
		movements: movements.map(([holder, item, kind, quantity]) => ({
			holder: String(holder),
			seat: seatOf(item),
			kind: String(kind),
			quantity: Number(quantity)
		})),
		levels: new Map(
			levels.map(([item, stock, reserved]) => [seatOf(item), { stock: Number(stock), reserved: Number(reserved) }])
		),
		version: Number(version),
		changes: changes.filter(change => change.showId === showId)
	};
}

/** The records since `sinceMs`. */
export const seatsInCluster = async (showId: string, sinceMs: number): Promise<StoredSeats> => {
	const records = (await kafkaRecords(CHANGES, sinceMs)).filter(({ key }) => key === showId);
	const changes = records.map(({ payload }) => JSON.parse(payload ?? "{}") as SeatChange);
	return read(psql, showId, changes);
};

async function embeddedChanges(knex: Knex): Promise<SeatChange[]> {
	const log = embeddedLog(knex);
	const changes: SeatChange[] = [];
	try {
		for (const [partition, end] of (await log.ends(CHANGES)).entries())
			for (let from = 0; from < end; ) {
				const records = await log.read(CHANGES, partition, from, MAX_RECORDS);
				changes.push(...records.map(({ value }) => JSON.parse(String(value)) as SeatChange));
				const last = records.at(-1);
				if (!last) break;
				from = last.offset + 1;
			}
		return changes;
	} finally {
		await log.close();
	}
}

/** No process may hold the directory. */
export async function seatsInDirectory(dataDir: string, showId: string): Promise<StoredSeats> {
	const { knex, close } = openEmbedded(dataDir);
	try {
		const query: Query = async sql => (await knex.raw(sql)).rows.map((row: object) => Object.values(row));
		return await read(query, showId, await embeddedChanges(knex));
	} finally {
		await close();
	}
}
