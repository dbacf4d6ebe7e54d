// What is decided about reservations, without a store or a clock. Requests are decided in order, each on what those before it have left.

export interface Line {
	item: string;
	/** A whole number, at least 1. */
	quantity: number;
}

/** What lies on an item's shelf. `0 <= reserved <= stock`; what can still be had is the difference. */
export interface Level {
	item: string;
	/** What its owner calls it. */
	label: string;
	stock: number;
	reserved: number;
	/** How many times `stock` has changed since the item was opened. */
	version: number;
}

export type State = "reserved" | "deducted" | "given back";

/** What a holder has asked for once and for all, and what has become of it. No lines: it was given back before it was ever seen. */
export interface Holding {
	state: State;
	lines: Line[];
	expiresAt?: Date;
}

/** What one piece of each kind of movement does to its level; what is put in (`open`, `set`) may be less than nothing. */
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

/** One row of the ledger, and the level that it led to. There is one for each holder, item and kind at most. */
export interface Movement extends Level {
	holder: string;
	kind: Kind;
	quantity: number;
	previousStock: number;
}

export interface Request {
	holder: string;
	lines: Line[];
	/** When the reservation ends by itself, if it does. */
	expiresAt?: Date;
}

export interface Change {
	/** The change's own name: under it, an item is changed once. */
	holder: string;
	item: string;
	stock: number;
}

export type Reserved =
	| { done: "reserved" | "again" }
	| { refused: "OUT_OF_STOCK"; item: string; requested: number; available: number }
	| { refused: "OTHER_LINES" | "GIVEN_BACK" };
export type Deducted = "deducted" | "again" | "given back" | "unknown";
export type GivenBack = "given back" | "again" | "noted" | "left";
export type Changed =
	| { done: "set" | "again"; level: Level }
	| { refused: "BELOW_RESERVED"; level: Level }
	| { refused: "UNKNOWN" };

export interface Known {
	levels: ReadonlyMap<string, Level>;
	holdings: ReadonlyMap<string, Holding>;
}

/** What to answer to each request, in order, and what is to be written for it. */
export interface Decision<Answer> {
	answers: Answer[];
	movements: Movement[];
	/** Those that are new or have changed. */
	holdings: Map<string, Holding>;
}

/** The lines with each item once, in the order in which the items first came. A sum beyond the exact range is rounded, but never down to a stock. */
export function addedUp(lines: Line[]): Line[] {
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

/** What is known, and what the decisions so far have made of it. */
function open({ levels, holdings }: Known) {
	const now = new Map(levels);
	const changed = new Map<string, Holding>();
	const movements: Movement[] = [];
	return {
		movements,
		holdings: changed,
		level: (item: string) => now.get(item),
		holding: (holder: string) => changed.get(holder) ?? holdings.get(holder),
		become: (holder: string, holding: Holding) => changed.set(holder, holding),
		move(holder: string, kind: Kind, { item, quantity }: Line): Level {
			const before = now.get(item)!;
			const stock = before.stock + EFFECTS[kind].stock * quantity;
			const reserved = before.reserved + EFFECTS[kind].reserved * quantity;
			const level = { ...before, stock, reserved, version: before.version + (stock === before.stock ? 0 : 1) };
			now.set(item, level);
			movements.push({ ...level, holder, kind, quantity, previousStock: before.stock });
			return level;
		}
	};
}

/** All lines of a request or none. Refused for want of stock it leaves nothing behind, and may come again. */
export function decideReserve(requests: Request[], known: Known): Decision<Reserved> {
	const book = open(known);
	const answers = requests.map((request): Reserved => {
		const lines = addedUp(request.lines);
		const holding = book.holding(request.holder);
		if (holding?.state === "given back") return { refused: "GIVEN_BACK" };
		if (holding) return sameLines(lines, holding.lines) ? { done: "again" } : { refused: "OTHER_LINES" };
		for (const { item, quantity: requested } of lines) {
			const level = book.level(item);
			const available = level ? level.stock - level.reserved : 0;
			if (requested > available) return { refused: "OUT_OF_STOCK", item, requested, available };
		}
		for (const line of lines) book.move(request.holder, "reserve", line);
		book.become(request.holder, { state: "reserved", lines, expiresAt: request.expiresAt });
		return { done: "reserved" };
	});
	return { answers, ...book };
}

/** What was reserved leaves the shelf. Who has reserved nothing takes nothing. */
export function decideDeduct(holders: string[], known: Known): Decision<Deducted> {
	const book = open(known);
	const answers = holders.map((holder): Deducted => {
		const holding = book.holding(holder);
		if (!holding) return "unknown";
		if (holding.state !== "reserved") return holding.state === "deducted" ? "again" : "given back";
		for (const line of holding.lines) book.move(holder, "deduct", line);
		book.become(holder, { ...holding, state: "deducted" });
		return "deducted";
	});
	return { answers, ...book };
}

/**
 * What was reserved can be had again, what was deducted lies on the shelf again. Of a holder who is not known it is noted, so that what it asks
 * for later moves nothing. `reservedOnly`: all others are left as they are.
 */
export function decideGiveBack(holders: string[], known: Known, reservedOnly = false): Decision<GivenBack> {
	const book = open(known);
	const answers = holders.map((holder): GivenBack => {
		const holding = book.holding(holder);
		if (reservedOnly && holding?.state !== "reserved") return "left";
		if (holding?.state === "given back") return "again";
		const kind = holding?.state === "deducted" ? "return" : "release";
		for (const line of holding?.lines ?? []) book.move(holder, kind, line);
		book.become(holder, { lines: holding?.lines ?? [], state: "given back" });
		return holding ? "given back" : "noted";
	});
	return { answers, ...book };
}

export const changeKey = ({ holder, item }: { holder: string; item: string }) => JSON.stringify([holder, item]);

/** The shelf holds so much from now on, and never less than what is reserved of it. `made`: the keys of changes that were made before. */
export function decideSet(changes: Change[], known: Known, made: ReadonlySet<string>): Decision<Changed> {
	const book = open(known);
	const done = new Set(made);
	const answers = changes.map((change): Changed => {
		const { holder, item, stock } = change;
		const level = book.level(item);
		if (!level) return { refused: "UNKNOWN" };
		if (done.has(changeKey(change))) return { done: "again", level };
		if (stock < level.reserved) return { refused: "BELOW_RESERVED", level };
		done.add(changeKey(change));
		return { done: "set", level: book.move(holder, "set", { item, quantity: stock - level.stock }) };
	});
	return { answers, ...book };
}
