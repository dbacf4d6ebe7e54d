// The buyers of a simulated history: they join queues, hold seats, confirm, release, forget and repeat, and check every answer.
import { setTimeout as delay } from "node:timers/promises";
import type { Identity } from "../../contract/action.ts";
import { isUnavailable } from "../../mixins/errors.ts";
import type { Hold, Place, SeatMap, Sold } from "../../services/seats/seats.contract.ts";
import type { Node } from "./nodes.ts";
import type { Scheduler } from "./scheduler.ts";
import type { answersChecker, HoldRequest, SimulatedShow, Wanted } from "./seats.answers.check.ts";
import { type Known, MAX_OPEN_HOLDS } from "./seats.check.ts";

interface Context {
	scheduler: Scheduler;
	nodes: Node[];
	answers: ReturnType<typeof answersChecker>;
	known: Known;
	/** Shows that exist. */
	shows: SimulatedShow[];
	buyers: Identity[];
}

/** Keys are few and shared: buyers have the same ones, and use one for several requests. */
const KEYS = ["key-1", "key-2", "key-3"];
const MAX_RETRIES = 3;

type Refusal = Parameters<Context["answers"]["releaseRefused"]>[2];

/** An answer that is `undefined`: nobody knows what became of the request. */
type Outcome<Answer> = { answer: Answer } | { refused: Refusal } | undefined;

export function seatsClients({ scheduler, nodes, answers, known, shows, buyers }: Context) {
	const { random, nowMs } = scheduler;
	/** What everybody has held, by hold. */
	const holders = new Map<string, Identity>();

	const ask = async <Answer>(caller: Identity, action: string, params: object): Promise<Outcome<Answer>> => {
		try {
			return { answer: (await random.pick(nodes).call(`seats.${action}`, params, { meta: { caller } })) as Answer };
		} catch (error) {
			if (isUnavailable(error)) return undefined;
			const { code } = error as Refusal;
			if (typeof code !== "number" || code >= 500) throw error;
			return { refused: error as Refusal };
		}
	};

	const someSeats = (show: SimulatedShow, most = 3): Wanted => {
		const names = [...show.seats.keys()];
		if (random.chance(0.3)) {
			const { category } = random.pick([...show.seats.values()]);
			return { best: { count: random.between(1, most), ...(random.chance(0.5) && { category }) } };
		}
		return { seats: [...new Set(Array.from({ length: random.between(1, most) }, () => random.pick(names)))] };
	};

	const hold = async (buyer: Identity, request: HoldRequest): Promise<Hold | undefined> => {
		answers.sending(request);
		const { show, wanted, key } = request;
		const sentAtMs = nowMs();
		const outcome = await ask<Hold>(buyer, "hold", { id: show.showId, ...wanted, idempotencyKey: key });
		if (!outcome) return undefined;
		if ("refused" in outcome) {
			answers.holdRefused(request, outcome.refused, sentAtMs, nowMs());
			return undefined;
		}
		answers.hold(request, outcome.answer, sentAtMs, nowMs());
		holders.set(outcome.answer.holdId, buyer);
		return outcome.answer;
	};

	const confirm = async (buyer: Identity, holdId: string) => {
		const sentAtMs = nowMs();
		const outcome = await ask<Sold>(buyer, "confirm", { id: holdId });
		if (!outcome) return;
		if ("refused" in outcome) answers.confirmRefused(holdId, buyer.id, outcome.refused, sentAtMs, nowMs());
		else answers.confirmed(holdId, buyer.id, outcome.answer);
	};

	const release = async (buyer: Identity, holdId: string) => {
		if (holders.get(holdId) === buyer) known.released.add(holdId);
		const outcome = await ask<null>(buyer, "release", { id: holdId });
		if (!outcome) return;
		if ("refused" in outcome) answers.releaseRefused(holdId, buyer.id, outcome.refused);
		else answers.released(holdId, buyer.id);
	};

	const join = async (buyer: Identity, show: SimulatedShow) => {
		const sentAtMs = nowMs();
		const outcome = await ask<Place>(buyer, "join", { id: show.showId });
		if (!outcome) return;
		if ("refused" in outcome) throw outcome.refused;
		answers.place(buyer.id, show, outcome.answer, sentAtMs, nowMs());
	};

	const look = async (buyer: Identity, show: SimulatedShow) => {
		const sentAtMs = nowMs();
		const isMap = random.chance(0.6);
		const outcome = await ask<SeatMap & Hold[]>(buyer, isMap ? "seats" : "holds", isMap ? { id: show.showId } : {});
		if (!outcome) return;
		if ("refused" in outcome) throw outcome.refused;
		if (isMap) answers.map(show, outcome.answer, sentAtMs, nowMs());
		else answers.holds(buyer.id, outcome.answer, sentAtMs, nowMs());
	};

	/** Ends a hold in one of the ways in which buyers do, some of them too late or twice. */
	const settle = async (buyer: Identity, { holdId }: Hold) => {
		await delay(random.between(0, random.chance(0.6) ? known.holdMs / 2 : known.holdMs * 2));
		const isMine = random.chance(0.9);
		const caller = isMine ? buyer : random.pick(buyers);
		const steps = random.pick([[confirm], [confirm], [confirm, confirm], [confirm, release], [release], [release, confirm], []]);
		const areTogether = random.chance(0.4);
		if (areTogether) await Promise.all(steps.map(step => step(caller, holdId)));
		else for (const step of steps) await step(caller, holdId);
	};

	/** More holds at once than a buyer may have. */
	const grab = async (buyer: Identity, show: SimulatedShow) => {
		const requests = Array.from({ length: MAX_OPEN_HOLDS + 1 }, () => ({ buyerId: buyer.id, show, wanted: someSeats(show, 1) }));
		const held = await Promise.all(requests.map(request => hold(buyer, request)));
		await Promise.all(held.flatMap(one => (one ? [settle(buyer, one)] : [])));
	};

	/** A client of one buyer, who may have several at once. */
	const shop = async (pauseMs: number) => {
		const buyer = random.pick(buyers);
		for (let n = 0; n < random.between(2, 8); n++) {
			await delay(random.between(0, pauseMs));
			const show = random.pick(shows);
			if (random.chance(0.2)) await look(buyer, show);
			if (random.chance(known.queues.has(show.showId) ? 0.7 : 0.05)) await join(buyer, show);
			if (random.chance(0.3)) await grab(buyer, show);
			const request = {
				buyerId: buyer.id,
				show,
				wanted: someSeats(show),
				key: random.chance(0.6) ? random.pick(KEYS) : undefined
			};
			let held = await hold(buyer, request);
			for (let retry = 0; !held && retry < MAX_RETRIES && random.chance(0.5); retry++) {
				await delay(random.between(0, pauseMs));
				held = await hold(buyer, request);
			}
			if (held) await settle(buyer, held);
			// Much later, when the seats may have another holder.
			if (request.key !== undefined && random.chance(0.3)) await hold(buyer, request);
		}
	};

	/** Joins the queue of a show, some more than once, and buys nothing. */
	const queueUp = async (account: Identity, show: SimulatedShow, withinMs: number) => {
		for (let n = 0; n < random.between(1, 3); n++) {
			await delay(random.between(0, withinMs));
			await join(account, show);
		}
	};

	return { shop, queueUp };
}
