// Who may do what, from outside. The doors ask here before they call: what the contracts say of each action is decided in this one place.

import { forbidden, unauthorized } from "../mixins/errors.ts";
import type { ActionContract, Identity } from "./action.ts";
import { Id, isAccountID } from "./id.ts";

const NO_GUESTS = "Guests are not let in here: sign in, and send your token";

export interface AccessRules {
	/** Whether people without an account may act under an id that belongs to none. */
	guests: boolean;
}

/** Throws 401 `UNAUTHORIZED` or 403 `FORBIDDEN` unless this caller, signed in or not, may act as this user. */
export function assertMayActAs(user: string, caller: Identity | undefined, { guests }: AccessRules) {
	if (caller?.id === user) return;
	if (isAccountID(user)) {
		if (caller) throw forbidden("This id belongs to another account");
		throw unauthorized("This id belongs to an account: sign in, and send its token");
	}
	if (!guests) throw unauthorized(NO_GUESTS);
}

/**
 * Throws 401 `UNAUTHORIZED` or 403 `FORBIDDEN` unless the caller may have this done. The params need not have been checked yet: where they name no
 * user that could be one, the check by the contract will refuse them.
 */
export function assertMayCall(
	{ who, actor }: Pick<ActionContract, "who" | "actor">,
	params: unknown,
	caller: Identity | undefined,
	rules: AccessRules
) {
	if (who === "anyone") return;
	if (who === "owner") {
		const owner = Id.safeParse(actor?.(params));
		if (owner.success) assertMayActAs(owner.data, caller, rules);
		else if (!caller && !rules.guests) throw unauthorized(NO_GUESTS);
		return;
	}
	if (!caller) throw unauthorized("Sign in, and send your token");
	if (who !== "account" && !(who === "admin" && caller.role === "admin")) throw forbidden("This is not for you");
}
