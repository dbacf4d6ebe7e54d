// Confirms and releases holds, in batches: a hold of another buyer does not exist for the caller, and one that has ended stays so.
import { conflict } from "../../mixins/errors.ts";
import type { Sold } from "./seats.contract.ts";
import { holdExpired, noSuchHold } from "./seats.errors.ts";
import { type StoredHold, toSold } from "./seats.rules.ts";
import type { HoldRef, HoldStore } from "./seats.store.holds.ts";

export interface EndRequest extends HoldRef {
	buyerId: string;
}

const alreadySold = (holdId: string) => conflict("The seats of this hold are sold", { holdId });

/** Each function answers each request, in order; an `Error` refuses only the request in its place. */
export function createEnding(store: Pick<HoldStore, "findHolds" | "sell" | "release">) {
	/** The hold of each request; undefined for that of another buyer. */
	const findOwn = async (requests: EndRequest[]) => {
		const holds = await store.findHolds([...new Set(requests.map(({ holdId }) => holdId))]);
		return requests.map(({ holdId, buyerId }) => {
			const hold = holds.get(holdId);
			return hold?.buyerId === buyerId ? hold : undefined;
		});
	};

	/** Changes the holds that are open, and returns what was answered for each by its id. */
	const changeOpen = async <Answer>(
		requests: EndRequest[],
		holds: (StoredHold | undefined)[],
		change: (open: HoldRef[]) => Promise<Answer[]>
	) => {
		const open = requests.filter((_, n) => holds[n]?.state === "reserved");
		const answers = open.length > 0 ? await change(open) : [];
		return new Map(open.map(({ holdId }, n) => [holdId, answers[n]!]));
	};

	return {
		async confirm(requests: EndRequest[]): Promise<(Sold | Error)[]> {
			const holds = await findOwn(requests);
			const answers = await changeOpen(requests, holds, store.sell);
			return holds.map(hold => {
				if (!hold) return noSuchHold();
				const answer = answers.get(hold.holdId);
				const isSold = hold.state === "deducted" || answer === "deducted" || answer === "again";
				return isSold ? toSold(hold) : holdExpired(hold.holdId);
			});
		},

		async release(requests: EndRequest[]): Promise<(null | Error)[]> {
			const holds = await findOwn(requests);
			const answers = await changeOpen(requests, holds, store.release);
			return holds.map(hold => {
				if (!hold) return noSuchHold();
				return hold.state === "deducted" || answers.get(hold.holdId) === "left" ? alreadySold(hold.holdId) : null;
			});
		}
	};
}
