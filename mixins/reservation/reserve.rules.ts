// The decision about requests to reserve, without a store or a clock.
import {
	type Decision,
	type Holding,
	type Known,
	type Line,
	type Request,
	type Reserved,
	startDraft
} from "./reservation.rules.ts";

/**
 * Why the holder of this request may not reserve; undefined if it may. Called for each request of a new holder in each decision, before the
 * levels are compared. `reserved`: the requests of the same batch that were reserved before.
 */
export type PolicyDecision = (request: Request, reserved: readonly Request[]) => string | undefined;

/** The lines with each item once, in the order of their first occurrence. A sum beyond the exact range is rounded, but never down to a possible stock. */
export function mergeLines(lines: Line[]): Line[] {
	const sums = new Map<string, number>();
	for (const { item, quantity } of lines) {
		if (!Number.isSafeInteger(quantity) || quantity < 1) throw new RangeError(`${quantity} is no quantity`);
		sums.set(item, (sums.get(item) ?? 0) + quantity);
	}
	return [...sums].map(([item, quantity]) => ({ item, quantity }));
}

const sameLines = (some: Line[], others: Line[]) => {
	const quantities = new Map(others.map(({ item, quantity }) => [item, quantity]));
	return some.length === others.length && some.every(({ item, quantity }) => quantities.get(item) === quantity);
};

/** The answer to a holder that has reserved before. What it has reserved is never extended. */
function answerAgain({ state, lines, expiresAt, isExpired }: Holding, requested: Line[]): Reserved {
	if (state === "given back") return { refused: "GIVEN_BACK" };
	if (state === "reserved" && isExpired) return { refused: "EXPIRED" };
	if (!sameLines(requested, lines)) return { refused: "OTHER_LINES" };
	return { done: "again", ...(expiresAt && { expiresAt }) };
}

/** Reserves all lines of a request or none. A request that is refused as out of stock or as not allowed leaves no trace and may be repeated. */
export function decideReserve(
	requests: Request[],
	known: Known,
	policyDecision: PolicyDecision = () => undefined
): Decision<Reserved> {
	const draft = startDraft(known);
	const reserved: Request[] = [];
	const answers = requests.map((request): Reserved => {
		const { holder, lifetimeMs } = request;
		const lines = mergeLines(request.lines);
		const holding = draft.holding(holder);
		if (holding) return answerAgain(holding, lines);
		const reason = policyDecision(request, reserved);
		if (reason !== undefined) return { refused: "NOT_ALLOWED", reason };
		const missing = lines.flatMap(({ item, quantity: requested }) => {
			const level = draft.level(item);
			const available = level ? level.stock - level.reserved : 0;
			return requested > available ? [{ item, requested, available }] : [];
		});
		if (missing.length > 0) return { refused: "OUT_OF_STOCK", missing };
		for (const line of lines) draft.move(holder, "reserve", line);
		draft.setHolding(holder, { state: "reserved", lines, lifetimeMs });
		reserved.push(request);
		return { done: "reserved" };
	});
	return { answers, ...draft };
}
