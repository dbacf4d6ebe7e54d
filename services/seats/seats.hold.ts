// Holds seats for a batch of requests: finds the holds of idempotency keys, chooses and reserves seats, and answers each request.
import { toRefusal } from "../../mixins/database/database-errors.ts";
import { conflict, unavailable } from "../../mixins/errors.ts";
import type { Missing } from "../../mixins/reservation/reservation.rules.ts";
import { buyerOf, type Choice, type HoldRequest, seatChoices, type ValidRequest, validate } from "./seats.choose.ts";
import type { Hold } from "./seats.contract.ts";
import { holdExpired, noSuchShow, notAdmitted, seatsTaken, tooManyHolds } from "./seats.errors.ts";
import type { FindPlans } from "./seats.plans.ts";
import { hasEnded, isRetryOf, type StoredHold, seatOf, toHold } from "./seats.rules.ts";
import type { Refusal } from "./seats.store.buyer-rules.ts";
import type { HoldStore } from "./seats.store.holds.ts";
import type { MapStore } from "./seats.store.maps.ts";

type Answer = Hold | Error;

/** How many times the best seats are chosen again because other buyers were faster. */
const MAX_REPETITIONS = 3;

const otherRequest = (holdId: string) => conflict("This idempotency key belongs to another request", { holdId });

const answerRetry = (hold: StoredHold, { wanted }: HoldRequest): Answer => {
	if (!isRetryOf(hold, wanted)) return otherRequest(hold.holdId);
	return hasEnded(hold) ? holdExpired(hold.holdId) : toHold(hold, hold.expiresAt);
};

const toError = (reason: Refusal, { showId }: HoldRequest): Error => {
	if (reason === "NOT_FOUND") return noSuchShow(showId);
	return reason === "NOT_ADMITTED" ? notAdmitted() : tooManyHolds();
};

const toSeatsTaken = (missing: Missing[]) => seatsTaken(missing.map(({ item }) => seatOf(item).seat));

/**
 * Answers each request, in order: with its hold, or with a refusal as `seats.hold` describes it. If the store fails, the requests whose holds are committed
 * are answered with them, and the others with the error.
 */
export function createHolding(store: HoldStore & Pick<MapStore, "findStatuses">, findPlans: FindPlans) {
	const choose = seatChoices(store);

	/** Answers those whose id has a hold. */
	const answerEarlier = async (requests: ValidRequest[], answers: Map<string, Answer>) => {
		if (requests.length === 0) return;
		const holds = await store.findHolds(requests.map(({ holdId }) => holdId));
		for (const request of requests) {
			const hold = holds.get(request.holdId);
			if (hold) answers.set(request.holdId, answerRetry(hold, request));
		}
	};

	/** Answers buyers who may not hold seats before the map is read to choose the best for them. Returns the other requests. */
	const refuseBuyers = async (requests: ValidRequest[], answers: Map<string, Answer>): Promise<ValidRequest[]> => {
		const choosing = requests.filter(({ wanted }) => "best" in wanted);
		if (choosing.length === 0) return requests;
		const reasons = await store.findRefusals(choosing.map(buyerOf));
		const refused = choosing.filter((_, n) => reasons[n]);
		// Another node may have opened the hold of the key meanwhile.
		await answerEarlier(
			refused.filter(({ hasKey }) => hasKey),
			answers
		);
		for (const [n, request] of choosing.entries())
			if (reasons[n] && !answers.has(request.holdId)) answers.set(request.holdId, toError(reasons[n], request));
		return requests.filter(request => !refused.includes(request));
	};

	/** A buyer for whom the same batch has opened the last hold that is allowed learns that, and not that there are too few seats. */
	const answerRefused = async (refused: Choice["refused"], answers: Map<string, Answer>) => {
		if (refused.length === 0) return;
		const reasons = await store.findRefusals(refused.map(({ request }) => buyerOf(request)));
		for (const [n, { request, error }] of refused.entries())
			answers.set(request.holdId, reasons[n] ? toError(reasons[n], request) : error);
	};

	/** Answers all of them, and returns those for the best seats that may succeed the next time: others have taken their seats meanwhile. */
	const attempt = async (attempted: ValidRequest[], answers: Map<string, Answer>): Promise<ValidRequest[]> => {
		const requests = await refuseBuyers(attempted, answers);
		const { holds, refused } = await choose(requests);
		const reserved = holds.length > 0 ? await store.reserve(holds) : [];
		const byId = new Map(requests.map(request => [request.holdId, request]));
		/** Shows in which seats were chosen that stay free. */
		const unused = new Set<string>();
		const earlier: ValidRequest[] = [];
		const outdated: ValidRequest[] = [];
		for (const [n, hold] of holds.entries()) {
			const [answer, request] = [reserved[n]!, byId.get(hold.holdId)!];
			if ("done" in answer && answer.done === "reserved") {
				answers.set(hold.holdId, toHold(hold, answer.expiresAt!));
				continue;
			}
			unused.add(hold.showId);
			if (answer instanceof Error) answers.set(hold.holdId, toRefusal(answer));
			else if ("done" in answer) earlier.push(request);
			else if (answer.refused === "NOT_ALLOWED") answers.set(hold.holdId, toError(answer.reason as Refusal, request));
			else if (answer.refused === "OUT_OF_STOCK") {
				answers.set(hold.holdId, toSeatsTaken(answer.missing));
				if ("best" in request.wanted) outdated.push(request);
			} else earlier.push(request);
		}
		// Only now: if one of these fails, the holds that are committed have their answers.
		await answerRefused(refused, answers);
		await answerEarlier(earlier, answers);
		for (const { holdId } of earlier) if (!answers.has(holdId)) answers.set(holdId, holdExpired(holdId));
		return [...outdated, ...refused.map(({ request }) => request).filter(({ showId }) => unused.has(showId))];
	};

	/** Attempts those whose callers still wait. Those that have no answer then get the error, or 503. */
	const attemptInTime = async (requests: ValidRequest[], answers: Map<string, Answer>): Promise<ValidRequest[]> => {
		for (const { holdId } of requests) answers.delete(holdId);
		const inTime = requests.filter(({ isTooLate }) => !isTooLate());
		let failure: Error = unavailable("Postgres");
		const left = await attempt(inTime, answers).catch(error => {
			failure = toRefusal(error);
			return [];
		});
		for (const { holdId } of requests) if (!answers.has(holdId)) answers.set(holdId, failure);
		return left;
	};

	return async (requests: HoldRequest[]): Promise<Answer[]> => {
		const plans = await findPlans(requests.map(({ showId }) => showId));
		const validated = requests.map(request => validate(request, plans.get(request.showId)));
		const valid = validated.filter((one): one is ValidRequest => !(one instanceof Error));
		// Of several requests with one key, the first is tried.
		const first = new Map(valid.toReversed().map(request => [request.holdId, request]));
		const distinct = valid.filter(request => first.get(request.holdId) === request);
		const answers = new Map<string, Answer>();
		await answerEarlier(
			distinct.filter(({ hasKey }) => hasKey),
			answers
		);
		let left = distinct.filter(({ holdId }) => !answers.has(holdId));
		for (let n = 0; left.length > 0 && n <= MAX_REPETITIONS; n++) left = await attemptInTime(left, answers);
		return validated.map(one => {
			if (one instanceof Error) return one;
			return isRetryOf(first.get(one.holdId)!, one.wanted) ? answers.get(one.holdId)! : otherRequest(one.holdId);
		});
	};
}
