// The decisions about reservations, without a store or a clock. Requests are decided in order, each on the levels that the earlier ones leave.

export interface Line {
	item: string;
	/** A whole number, at least 1. */
	quantity: number;
}

/** The stock of an item. `0 <= reserved <= stock`; the difference is available. */
export interface Level {
	item: string;
	/** Its name for people. */
	label: string;
	stock: number;
	reserved: number;
	/** How many times `stock` has changed since the item was opened. */
	version: number;
}

export type State = "reserved" | "deducted" | "given back";

/** What a holder has reserved, and its state. Without lines: it was given back before it was ever reserved. */
export interface Holding {
	state: State;
	lines: Line[];
	/** Of a new one: see `Request`. */
	lifetimeMs?: number;
	/** Of a stored one; undefined if it never expires. */
	expiresAt?: Date;
	/** Whether it had expired when it was read, by the clock of Postgres. */
	isExpired?: boolean;
}

/** How one piece of each kind of movement changes its level. The quantity of `set` may be negative. */
export const EFFECTS = {
	open: { stock: 1, reserved: 0 },
	set: { stock: 1, reserved: 0 },
	reserve: { stock: 0, reserved: 1 },
	deduct: { stock: -1, reserved: -1 },
	/** Given back before it was deducted. */
	release: { stock: 0, reserved: -1 },
	/** Given back after it was deducted. */
	return: { stock: 1, reserved: 0 }
} as const;

export type Kind = keyof typeof EFFECTS;

/** One row of the ledger, and the level after it. There is at most one for each holder, item and kind. */
export interface Movement extends Level {
	holder: string;
	kind: Kind;
	quantity: number;
	previousStock: number;
}

export interface Request {
	holder: string;
	lines: Line[];
	/** How long the reservation lasts, by the clock of Postgres. Default: for ever. */
	lifetimeMs?: number;
}

export interface Change {
	/** The id of the change: under it, an item is changed once. */
	holder: string;
	item: string;
	stock: number;
}

/** An item of which less is available than was requested. */
export interface Missing {
	item: string;
	requested: number;
	available: number;
}

export type Reserved =
	| { done: "reserved" | "again"; expiresAt?: Date }
	/** `missing`: all of them, in the order of the lines. */
	| { refused: "OUT_OF_STOCK"; missing: Missing[] }
	/** `reason`: the policy's text. */
	| { refused: "NOT_ALLOWED"; reason: string }
	/** The holder reserved something else before, or its reservation was given back, or has expired. */
	| { refused: "OTHER_LINES" | "GIVEN_BACK" | "EXPIRED" };
/** `expired`: only with `unlessExpired`. */
export type Deducted = "deducted" | "again" | "given back" | "unknown" | "expired";
/** `noted`: unknown, and now recorded as given back. `left`: only with `reservedOnly`, for a deducted or unknown holder. */
export type GivenBack = "given back" | "again" | "noted" | "left";
export type Changed =
	| { done: "set" | "again"; level: Level }
	| { refused: "BELOW_RESERVED"; level: Level }
	| { refused: "UNKNOWN" };

export interface Known {
	levels: ReadonlyMap<string, Level>;
	holdings: ReadonlyMap<string, Holding>;
}

/** The answer to each request, in order, and what to write. */
export interface Decision<Answer> {
	answers: Answer[];
	movements: Movement[];
	/** The new and the changed ones. */
	holdings: Map<string, Holding>;
}

/** The known levels and holdings, changed by the decisions so far. */
export function startDraft({ levels, holdings }: Known) {
	const current = new Map(levels);
	const changed = new Map<string, Holding>();
	const movements: Movement[] = [];
	return {
		movements,
		holdings: changed,
		level: (item: string) => current.get(item),
		holding: (holder: string) => changed.get(holder) ?? holdings.get(holder),
		setHolding: (holder: string, holding: Holding) => changed.set(holder, holding),
		move(holder: string, kind: Kind, { item, quantity }: Line): Level {
			const before = current.get(item)!;
			const stock = before.stock + EFFECTS[kind].stock * quantity;
			const reserved = before.reserved + EFFECTS[kind].reserved * quantity;
			const level = { ...before, stock, reserved, version: before.version + (stock === before.stock ? 0 : 1) };
			current.set(item, level);
			movements.push({ ...level, holder, kind, quantity, previousStock: before.stock });
			return level;
		}
	};
}

/** Takes what was reserved out of the stock. A holder without a reservation gets nothing; nor does an expired one with `unlessExpired`. */
export function decideDeduct(holders: string[], known: Known, unlessExpired = false): Decision<Deducted> {
	const draft = startDraft(known);
	const answers = holders.map((holder): Deducted => {
		const holding = draft.holding(holder);
		if (!holding) return "unknown";
		if (holding.state !== "reserved") return holding.state === "deducted" ? "again" : "given back";
		if (unlessExpired && holding.isExpired) return "expired";
		for (const line of holding.lines) draft.move(holder, "deduct", line);
		draft.setHolding(holder, { ...holding, state: "deducted" });
		return "deducted";
	});
	return { answers, ...draft };
}

/**
 * Makes available again what was reserved, and returns to the stock what was deducted. An unknown holder is recorded as given back, so that its
 * later requests move nothing. `reservedOnly`: changes holders in state `reserved` only.
 */
export function decideGiveBack(holders: string[], known: Known, reservedOnly = false): Decision<GivenBack> {
	const draft = startDraft(known);
	const answers = holders.map((holder): GivenBack => {
		const holding = draft.holding(holder);
		if (holding?.state === "given back") return "again";
		if (reservedOnly && holding?.state !== "reserved") return "left";
		const kind = holding?.state === "deducted" ? "return" : "release";
		for (const line of holding?.lines ?? []) draft.move(holder, kind, line);
		draft.setHolding(holder, { lines: holding?.lines ?? [], state: "given back" });
		return holding ? "given back" : "noted";
	});
	return { answers, ...draft };
}

export const changeKey = ({ holder, item }: { holder: string; item: string }) => JSON.stringify([holder, item]);

/** Sets the stock, never below what is reserved of it. `made`: the keys of changes that were made before. */
export function decideSet(changes: Change[], known: Known, made: ReadonlySet<string>): Decision<Changed> {
	const draft = startDraft(known);
	const done = new Set(made);
	const answers = changes.map((change): Changed => {
		const { holder, item, stock } = change;
		const level = draft.level(item);
		if (!level) return { refused: "UNKNOWN" };
		if (done.has(changeKey(change))) return { done: "again", level };
		if (stock < level.reserved) return { refused: "BELOW_RESERVED", level };
		done.add(changeKey(change));
		return { done: "set", level: draft.move(holder, "set", { item, quantity: stock - level.stock }) };
	});
	return { answers, ...draft };
}
