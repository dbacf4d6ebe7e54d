// Who may act as whom.
import type { ActionContract } from "./define.ts";
import { unauthorized } from "./mixins/errors.ts";

/** Throws 401 `UNAUTHORIZED` unless a caller without an account may do this: what has an owner is a guest's only while guests are let in. */
export function mayAct({ actor }: Pick<ActionContract, "actor">, { guests }: { guests: boolean }) {
	if (actor && !guests) throw unauthorized("Guests are not let in here: sign in and send your token");
}
