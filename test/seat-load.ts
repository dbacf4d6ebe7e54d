// Load generator for seats: buyers who hold and confirm, release or forget, each request under the same key until it has a final answer. Its records
// say which seats are sold, whatever happened meanwhile.
import { setTimeout as delay } from "node:timers/promises";
import { type Account, newShow, openAccount, seatNames } from "./client.seats.ts";
import { type Answer, eventually, fresh } from "./client.ts";
import { forEachConcurrently } from "./ledger.ts";
import { any } from "./load-generator.ts";
import { seatMapReader } from "./seat-map-reader.ts";
import type { System } from "./system.ts";

/** What a buyer does with a hold. */
type Plan = "confirm" | "release" | "forget";

export interface SeatEntry {
	key: string;
	buyer: string;
	plan: Plan;
	asked: { seats: string[] } | { best: { count: number } };
	/** `asked`: the hold has no final answer yet; `held`: the buyer has it, and its plan has no final answer yet. */
	state: "asked" | "refused" | "held" | "sold" | "released" | "ended" | "forgotten";
	/** Set when the hold is acknowledged. */
	holdId?: string;
	seats?: string[];
}

export interface SeatLoadOptions {
	/** The rows of the show, and the seats of each. */
	rows: number;
	perRow: number;
	buyers: number;
	/** Maximum pause of a buyer between two requests. */
	thinkMs?: number;
}

const PAUSE_MS = 100;
/** After a request without an answer, at least; at most twice as long. */
const RETRY_MS = 500;
/** How many buyers try for each free seat at once. */
const BUYERS_FOR_SEAT = 20;
const BEST_SHARE = 0.3;
const PAIR_SHARE = 0.3;
const PLANS: readonly Plan[] = [...Array<Plan>(7).fill("confirm"), "release", "release", "forget"];
const FINAL = ["refused", "sold", "released", "ended", "forgotten"];
const REFUSALS = ["SEATS_TAKEN", "NOT_ENOUGH_SEATS", "TOO_MANY_HOLDS"];

export const isFinal = ({ state }: SeatEntry) => FINAL.includes(state);

/** Makes a show, and buyers that want its seats. */
export async function openSeatLoad(system: System, { rows, perRow, buyers, thinkMs = 0 }: SeatLoadOptions) {
	const showId = await newShow(system.url, seatNames(rows, perRow));
	const entries: SeatEntry[] = [];
	/** Unexpected answers: those that an outage does not explain. */
	const unexpectedAnswers: string[] = [];
	let running = false;
	let clients: Promise<void>[] = [];
	let acknowledged = 0;
	const map = seatMapReader(system.urls, showId, unexpectedAnswers);
	const ids = await Promise.all(Array.from({ length: buyers }, () => openAccount(system.url).then(({ id }) => id)));
	/** Each buyer on every gateway. */
	const accounts = new Map<string, Account[]>(
		await Promise.all(ids.map(async id => [id, await Promise.all(system.urls.map(url => openAccount(url, "user", id)))] as const))
	);
	const accountOf = ({ buyer }: SeatEntry) => any(accounts.get(buyer)!);

	/** The final answer of a request; undefined if its outcome is unknown. */
	async function ask(request: Promise<Answer>): Promise<Answer | undefined> {
		const answer = await request.catch(() => undefined);
		return answer?.status === 503 ? undefined : answer;
	}
	const unexpected = (entry: SeatEntry, { status, text }: Answer) => {
		unexpectedAnswers.push(`${status} ${text} to ${JSON.stringify(entry)}`);
		return false;
	};

	async function hold(entry: SeatEntry): Promise<boolean> {
		const answer = await ask(accountOf(entry).hold(showId, entry.asked, { "idempotency-key": entry.key }));
		if (!answer) return false;
		const { status, json } = answer;
		if (status === 201) {
			[entry.holdId, entry.seats] = [json.holdId, json.seats];
			entry.state = entry.plan === "forget" ? "forgotten" : "held";
		} else if (status === 409 && REFUSALS.includes(json.type)) entry.state = "refused";
		// A late retry: an earlier attempt has held the seats, its answer was lost, and the hold has ended.
		else if (status === 409 && json.type === "HOLD_EXPIRED") entry.state = "ended";
		else return unexpected(entry, answer);
		return true;
	}

	async function finish(entry: SeatEntry): Promise<boolean> {
		const account = accountOf(entry);
		const isConfirm = entry.plan === "confirm";
		const answer = await ask(isConfirm ? account.confirm(entry.holdId!) : account.release(entry.holdId!));
		if (!answer) return false;
		const { status, json } = answer;
		if (isConfirm && status === 200 && `${json.seats}` === `${entry.seats}`) entry.state = "sold";
		else if (isConfirm && status === 409 && json.type === "HOLD_EXPIRED") entry.state = "ended";
		else if (!isConfirm && status === 204) entry.state = "released";
		else return unexpected(entry, answer);
		return true;
	}

	/** One request of an entry. Resolves to false if its outcome is unknown. */
	async function advance(entry: SeatEntry): Promise<boolean> {
		const isAnswered = await (entry.state === "held" ? finish(entry) : hold(entry));
		if (isAnswered && entry.state !== "refused") acknowledged++;
		return isAnswered;
	}

	const think = () => delay(Math.random() * thinkMs);
	const newEntry = (buyer: string, free: string[]): SeatEntry => {
		const count = Math.random() < PAIR_SHARE ? 2 : 1;
		const asked =
			Math.random() < BEST_SHARE ? { best: { count } } : { seats: [...new Set(Array.from({ length: count }, () => any(free)))] };
		return { key: fresh("key"), buyer, plan: any(PLANS), asked, state: "asked" };
	};

	/** Tries until nothing is free or held any more. */
	async function shop(buyer: string): Promise<void> {
		while (running) {
			const open = map.latest()?.seats.filter(({ status }) => status !== "sold");
			if (open?.length === 0) return;
			const free = open?.filter(({ status }) => status === "free").map(({ seat }) => seat) ?? [];
			if (Math.random() < (free.length * BUYERS_FOR_SEAT) / buyers) {
				const entry = newEntry(buyer, free);
				entries.push(entry);
				while (running && !isFinal(entry)) {
					if (!(await advance(entry))) await delay(RETRY_MS * (1 + Math.random()));
					await think();
				}
			}
			await delay(PAUSE_MS * (0.5 + Math.random()));
		}
	}

	return {
		showId,
		entries,
		unexpectedAnswers,
		acknowledged: () => acknowledged,
		startLoad() {
			running = true;
			clients = [map.readWhile(() => running), ...ids.map(shop)];
		},
		/** Resolves once every buyer has ended, because everything is sold. */
		async untilSoldOut(timeoutMs: number) {
			const isSoldOut = () => {
				const left = map
					.latest()
					?.seats.filter(({ status }) => status !== "sold")
					.map(({ seat, status }) => `${seat} ${status}`) ?? ["all"];
				if (left.length > 0)
					throw new Error(
						`${left.length} seats are left: ${left.slice(0, 5)}; ${unexpectedAnswers.length} unexpected answers: ${unexpectedAnswers[0]}`
					);
			};
			await eventually(isSoldOut, "all seats to be sold", timeoutMs);
		},
		async stopLoad() {
			running = false;
			await Promise.all(clients);
		},
		/** Asks again until everything has a final answer. */
		retryAll: (timeoutMs?: number) =>
			forEachConcurrently(
				entries.filter(entry => !isFinal(entry)),
				entry =>
					eventually(
						async () => {
							while (!isFinal(entry))
								if (!(await advance(entry))) throw new Error(`no answer; unexpected: ${unexpectedAnswers.at(-1)}`);
						},
						`${JSON.stringify(entry)} to be answered`,
						timeoutMs
					)
			)
	};
}

export type SeatLoad = Awaited<ReturnType<typeof openSeatLoad>>;
