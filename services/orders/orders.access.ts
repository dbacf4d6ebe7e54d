// Which orders a caller may see and change.
import { unauthorized } from "../../mixins/errors.ts";
import type { Meta } from "../define-service.ts";
import type { Actor } from "./orders.machine.ts";

export interface Access {
	actor: Actor;
	/** The caller sees only this buyer's orders; without it, all. */
	buyerId?: string;
}

/** An admin, and the operator at the REPL, sees all orders; any other caller only their own. */
export function accessOf({ caller, $repl }: Meta): Access {
	if (caller?.role === "admin" || (!caller && $repl)) return { actor: "admin" };
	if (!caller) throw unauthorized("Sign in, and send your token");
	return { actor: "buyer", buyerId: caller.id };
}
