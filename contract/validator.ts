import { type Context, Validators } from "moleculer";
import type { z } from "zod";
import { invalid } from "../mixins/errors.ts";
import { checkFields } from "../mixins/field-errors.ts";
import { fromRepl, paramNames } from "./repl-params.ts";

type Contracts = Record<string, { params: z.ZodType }>;
type Handler = (ctx: Context<unknown, { $repl?: boolean }>) => Promise<unknown>;

/**
 * Validates every call with the contract of its action, looked up by name. The schema cannot be in the action's `params`: Moleculer clones
 * them, and a cloned zod schema accepts everything. The handler gets the parsed params. Rejects with 422 `VALIDATION_ERROR`, listing each field.
 */
export class ContractValidator extends Validators.Base {
	readonly contracts: Contracts;

	constructor(contracts: Contracts) {
		super({});
		this.contracts = contracts;
	}

	override compile() {
		return () => true as const;
	}

	override validate() {
		return true;
	}

	override convertSchemaToMoleculer(schema: object) {
		return schema;
	}

	override middleware() {
		return {
			name: "ContractValidator",
			localAction: (next: Handler, action: { name: string; params?: object }): Handler => {
				const contract = this.contracts[action.name];
				if (!contract) return next;
				action.params = paramNames(contract.params);
				return ctx => {
					const params = ctx.meta.$repl ? fromRepl(ctx.params, contract.params) : ctx.params;
					const { data, fieldErrors } = checkFields(contract.params, params ?? {});
					if (fieldErrors) return Promise.reject(invalid(fieldErrors));
					ctx.params = data;
					return next(ctx);
				};
			}
		} as unknown as ReturnType<Validators.Base["middleware"]>;
	}
}
