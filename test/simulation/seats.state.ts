// What the tables of seats hold after each commit of a simulated history, and questions about the time between a request and its answer.
import type { Query } from "./virtual-postgres.ts";

export type Status = "free" | "held" | "sold";

export interface StoredHold {
	holdId: string;
	showId: string;
	buyerId: string;
	/** As table `seat_holds` names them. */
	seats: string[];
	/** What the ledger says that it has reserved. */
	reserved: string[];
	state: "reserved" | "deducted" | "given back";
	endMs: number;
}

export interface Waiting {
	showId: string;
	userId: string;
	/** Of those who joined before the opening. */
	lot: string | null;
	joinedMs: number;
	place: number | null;
	isAdmitted: boolean;
}

export interface Message {
	id: number;
	topic: string;
	// biome-ignore lint/suspicious/noExplicitAny: every topic has its own
	message: any;
}

export interface State {
	atMs: number;
	versions: Map<string, number>;
	/** By show and seat. */
	statuses: Map<string, Map<string, Status>>;
	holds: Map<string, StoredHold>;
	/** By `<show> <user>`. */
	queue: Map<string, Waiting>;
}

const MS = (column: string) => `round(extract(epoch from ${column}) * 1000)::float8`;
const listOf = (object: string, from: string) => `(select coalesce(json_agg(json_build_object(${object})), '[]') from ${from})`;

/** An item is `<show>/<seat>`, and a show's id has no `/`. */
const SHOW = "split_part(item, '/', 1)";
const SEAT = "substr(item, strpos(item, '/') + 1)";
const RESERVED = `(select coalesce(json_agg(${SEAT} order by item collate "C"), '[]') from seats_movements as line where line.holder = seats_holders.holder and kind = 'reserve')`;

const STATE = `select json_build_object(
	'shows', ${listOf("'showId', id, 'version', version", "shows")},
	'levels', ${listOf(`'showId', ${SHOW}, 'seat', ${SEAT}, 'stock', stock, 'reserved', reserved`, "seats_levels")},
	'holds', ${listOf(
		`'holdId', holder, 'state', state, 'endMs', ${MS("expires_at")}, 'reserved', ${RESERVED}, 'showId', show_id, 'buyerId', buyer_id, 'seats', seats`,
		"seats_holders left join seat_holds on id = holder"
	)},
	'queue', ${listOf(
		`'showId', show_id, 'userId', user_id, 'lot', lot, 'joinedMs', ${MS("joined_at")}, 'place', place, 'isAdmitted', coalesce(place <= admitted, false)`,
		"show_queue join show_queue_state using (show_id)"
	)},
	'messages', (select coalesce(json_agg(json_build_object('id', id, 'topic', topic, 'message', value::json) order by id), '[]') from seats_outbox where id > $1)
) as state`;

const statusOf = ({ stock, reserved }: { stock: number; reserved: number }): Status =>
	stock === 0 ? "sold" : reserved === 1 ? "held" : "free";

/** Reads everything in one statement, and the messages after `lastMessage`. */
export async function readState(query: Query, atMs: number, lastMessage: number): Promise<State & { messages: Message[] }> {
	const { rows } = await query({ text: STATE, values: [lastMessage] });
	const { shows, levels, holds, queue, messages } = rows[0].state;
	const statuses = new Map<string, Map<string, Status>>();
	for (const level of levels) {
		if (!statuses.has(level.showId)) statuses.set(level.showId, new Map());
		statuses.get(level.showId)!.set(level.seat, statusOf(level));
	}
	return {
		atMs,
		versions: new Map(shows.map(({ showId, version }: { showId: string; version: number }) => [showId, Number(version)])),
		statuses,
		holds: new Map(holds.map((hold: StoredHold) => [hold.holdId, hold])),
		queue: new Map(queue.map((one: Waiting) => [`${one.showId} ${one.userId}`, one])),
		messages
	};
}

/** A hold that has ended, and is not given back yet, holds its seats no more. */
export const isOpen = ({ state, endMs }: StoredHold, atMs: number) => state === "reserved" && endMs > atMs;

export interface Span {
	state: State;
	fromMs: number;
	toMs: number;
}

/** The states from one time to another, each with the part of that time in which it was the present one. */
export function spansOf(states: readonly State[], fromMs: number, toMs: number): Span[] {
	const spans = states.map((state, n) => ({
		state,
		fromMs: Math.max(fromMs, state.atMs),
		toMs: Math.min(toMs, states[n + 1]?.atMs ?? Number.POSITIVE_INFINITY)
	}));
	return spans.filter(span => span.fromMs <= span.toMs);
}

const holdOf = ({ holds }: State, showId: string, seat: string) =>
	[...holds.values()].find(hold => hold.showId === showId && hold.state === "reserved" && hold.reserved.includes(seat));

/** Whether a buyer could have had this seat at some time of the span. */
export function couldBeFree({ state, toMs }: Span, showId: string, seat: string): boolean {
	const status = state.statuses.get(showId)!.get(seat);
	return status === "free" || (status === "held" && !isOpen(holdOf(state, showId, seat)!, toMs));
}

/** Whether a buyer could not have had this seat at some time of the span. */
export function couldBeTaken({ state, fromMs }: Span, showId: string, seat: string): boolean {
	const status = state.statuses.get(showId)!.get(seat);
	return status === "sold" || (status === "held" && isOpen(holdOf(state, showId, seat)!, fromMs));
}
