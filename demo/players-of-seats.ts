// Simulated users at the shows: buyers hold seats, then confirm or release them, or let the time run out; an admin makes another show when one is sold out.
import { randomInt, randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { eveningIn, hallSeats } from "./halls.ts";
import { outcome, type Stage } from "./stage.ts";

const MAX_SEATS = 4;
const CONFIRMS_ONE_IN = 3;
const FORGETS_ONE_IN = 10;
const THINKS_FOR_MS = 3_000;
/** Below this share of free seats, a show counts as sold out. */
const SOLD_OUT_BELOW = 0.1;

interface Seat {
	seat: string;
	status: string;
}

/** Undefined if there is none, or if the list was refused. */
async function newestShow({ client }: Stage): Promise<{ showId: string; queue?: object } | undefined> {
	const { json } = await client.ask("GET", "/api/shows?limit=20");
	return Array.isArray(json) ? json.find(({ queue }: { queue?: object }) => !queue) : undefined;
}
const seatsOf = async ({ client }: Stage, showId: string): Promise<Seat[]> =>
	(await client.ask("GET", `/api/shows/${showId}/seats`)).json?.seats ?? [];
const isFree = ({ status }: Seat) => status === "free";

/** Some free seats that the buyer picked on the map: another buyer may be faster. */
async function pickedSeats(stage: Stage, showId: string): Promise<string[]> {
	const free = (await seatsOf(stage, showId)).filter(isFree);
	const first = randomInt(Math.max(free.length, 1));
	return free.slice(first, first + randomInt(1, MAX_SEATS + 1)).map(({ seat }) => seat);
}

/** Holds seats of the newest show, and then decides about them. */
export async function playAtShow(stage: Stage) {
	const { client, signal, count } = stage;
	const show = await newestShow(stage);
	if (!show) return;
	const seats = randomInt(2) > 0 ? await pickedSeats(stage, show.showId) : [];
	const wanted = seats.length > 0 ? { seats } : { best: { count: randomInt(1, MAX_SEATS + 1) } };
	const held = await client.ask("POST", `/api/shows/${show.showId}/holds`, wanted, randomUUID());
	count(outcome(held, "held seats"));
	if (held.status >= 300 || randomInt(FORGETS_ONE_IN) === 0) return;
	await delay(randomInt(THINKS_FOR_MS / 4, THINKS_FOR_MS), undefined, { signal }).catch(() => {});
	const { holdId } = held.json;
	if (randomInt(CONFIRMS_ONE_IN) === 0) count(outcome(await client.ask("POST", `/api/holds/${holdId}/confirm`), "bought seats"));
	else count(outcome(await client.ask("DELETE", `/api/holds/${holdId}`), "released seats"));
}

/** Makes another show when the newest one is sold out. */
export async function replaceSoldOutShow(stage: Stage) {
	const show = await newestShow(stage);
	const seats = show ? await seatsOf(stage, show.showId) : [];
	if (seats.filter(isFree).length > seats.length * SOLD_OUT_BELOW) return;
	const next = { name: `Another evening, ${new Date().toISOString().slice(11, 19)}`, startsAt: eveningIn(30), seats: hallSeats };
	stage.count(outcome(await stage.client.ask("POST", "/api/shows", next), "made a show"));
}
