// Access from outside: the gateway and the sockets check every call here, by the `who` and `actor` of the action's contract.
import { forbidden, unauthorized } from "../mixins/errors.ts";
import type { ActionContract, Identity } from "./action.ts";
import { Id, isAccountID } from "./id.ts";

const NO_GUESTS = "Guests are not allowed here: sign in and send your token";

export interface AccessRules {
	/** Whether clients without an account may act under an id that belongs to no account. */
	guests: boolean;
}

/** Throws 401 `UNAUTHORIZED` or 403 `FORBIDDEN` unless the caller (undefined: not signed in) may act as this user. */
export function assertMayActAs(user: string, caller: Identity | undefined, { guests }: AccessRules) {
	if (caller?.id === user) return;
	if (isAccountID(user)) {
		if (caller) throw forbidden("This id belongs to another account");
		throw unauthorized("This id belongs to an account: sign in and send its token");
	}
	if (!guests) throw unauthorized(NO_GUESTS);
}

/**
 * Throws 401 `UNAUTHORIZED` or 403 `FORBIDDEN` unless the caller may call the action. The params need not be validated yet: an invalid user id
 * is rejected later, by the contract's validation.
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
	if (!caller) throw unauthorized("Sign in and send your token");
	if (who !== "account" && !(who === "admin" && caller.role === "admin")) throw forbidden("Your account may not do this");
}
