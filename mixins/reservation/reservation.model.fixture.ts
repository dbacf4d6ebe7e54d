// The promises of reservations in the plainest form: one request after the other, all sums computed from the holders. Tests compare the answers.
import type { Change, Changed, Deducted, GivenBack, Line, Missing, Request, Reserved } from "./reservation.rules.ts";

interface Holder {
	state: "reserved" | "deducted" | "given back";
	lines: Map<string, number>;
	expiresAt?: Date;
}

const add = (sums: Map<string, number>, { item, quantity }: Line) => sums.set(item, (sums.get(item) ?? 0) + quantity);

export class Model {
	now: Date;
	#putIn = new Map<string, number>();
	#holders = new Map<string, Holder>();
	#changes = new Set<string>();

	constructor(now: Date) {
		this.now = now;
	}

	#sum(item: string, state: Holder["state"]) {
		return [...this.#holders.values()].reduce(
			(sum, { state: has, lines }) => sum + (has === state ? (lines.get(item) ?? 0) : 0),
			0
		);
	}

	level(item: string) {
		const putIn = this.#putIn.get(item);
		if (putIn === undefined) return undefined;
		return { stock: putIn - this.#sum(item, "deducted"), reserved: this.#sum(item, "reserved") };
	}

	open(items: { item: string; stock: number }[]) {
		return items.map(({ item, stock }) => {
			if (this.#putIn.has(item)) return false;
			this.#putIn.set(item, stock);
			return true;
		});
	}

	set(changes: Change[]): ("set" | "again" | "BELOW_RESERVED" | "UNKNOWN")[] {
		return changes.map(({ holder, item, stock }) => {
			const level = this.level(item);
			if (!level) return "UNKNOWN";
			if (this.#changes.has(`${holder} ${item}`)) return "again";
			if (stock < level.reserved) return "BELOW_RESERVED";
			this.#changes.add(`${holder} ${item}`);
			add(this.#putIn, { item, quantity: stock - level.stock });
			return "set";
		});
	}

	#isExpired = ({ state, expiresAt }: Holder) => state === "reserved" && expiresAt !== undefined && expiresAt <= this.now;

	#reserveOne({ holder, lines, lifetimeMs }: Request): Reserved {
		const wanted = new Map<string, number>();
		for (const line of lines) add(wanted, line);
		const known = this.#holders.get(holder);
		if (known) {
			if (known.state === "given back") return { refused: "GIVEN_BACK" };
			if (this.#isExpired(known)) return { refused: "EXPIRED" };
			const same =
				known.lines.size === wanted.size && [...wanted].every(([item, quantity]) => known.lines.get(item) === quantity);
			if (!same) return { refused: "OTHER_LINES" };
			return { done: "again", ...(known.expiresAt && { expiresAt: known.expiresAt }) };
		}
		const missing = [...wanted].flatMap(([item, requested]): Missing[] => {
			const { stock, reserved } = this.level(item) ?? { stock: 0, reserved: 0 };
			return requested > stock - reserved ? [{ item, requested, available: stock - reserved }] : [];
		});
		if (missing.length > 0) return { refused: "OUT_OF_STOCK", missing };
		const expiry = lifetimeMs === undefined ? {} : { expiresAt: new Date(this.now.getTime() + lifetimeMs) };
		this.#holders.set(holder, { state: "reserved", lines: wanted, ...expiry });
		return { done: "reserved", ...expiry };
	}

	reserve(requests: Request[]): Reserved[] {
		const missing = new Set<string>();
		const first = requests.map(request => {
			const answer = this.#reserveOne(request);
			if ("refused" in answer && answer.refused === "OUT_OF_STOCK") for (const { item } of answer.missing) missing.add(item);
			return answer;
		});
		const expired = [...this.#holders.values()].filter(
			holder => this.#isExpired(holder) && [...holder.lines.keys()].some(item => missing.has(item))
		);
		for (const holder of expired) holder.state = "given back";
		if (expired.length === 0) return first;
		return first.map((answer, n) =>
			"refused" in answer && answer.refused === "OUT_OF_STOCK" ? this.#reserveOne(requests[n]!) : answer
		);
	}

	deduct(holders: string[], { unlessExpired = false } = {}): Deducted[] {
		return holders.map(name => {
			const holder = this.#holders.get(name);
			if (!holder) return "unknown";
			if (holder.state !== "reserved") return holder.state === "deducted" ? "again" : "given back";
			if (unlessExpired && this.#isExpired(holder)) return "expired";
			holder.state = "deducted";
			return "deducted";
		});
	}

	giveBack(holders: string[], { reservedOnly = false } = {}): GivenBack[] {
		return holders.map(name => {
			const holder = this.#holders.get(name);
			if (holder?.state === "given back") return "again";
			if (reservedOnly && holder?.state !== "reserved") return "left";
			this.#holders.set(name, { lines: new Map(), ...holder, state: "given back" });
			return holder ? "given back" : "noted";
		});
	}

	expire(): string[] {
		const expired = [...this.#holders].filter(([, holder]) => this.#isExpired(holder));
		for (const [, holder] of expired) holder.state = "given back";
		return expired.map(([name]) => name);
	}
}

/** What the model says about a changed stock. */
export const changed = (answer: Changed) => ("done" in answer ? answer.done : answer.refused);
