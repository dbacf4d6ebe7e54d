import { type Context, Validators } from "moleculer";
import { z } from "zod";
import { invalid } from "../mixins/errors.ts";
import { fieldErrorsOf } from "../mixins/field-errors.ts";

type Contracts = Record<string, { params: z.ZodType }>;
type Handler = (ctx: Context<unknown, { $repl?: boolean }>) => Promise<unknown>;

/** The REPL reads `--user_id 123` as a number; where the contract wants text it is given text. */
function numbersToText(params: unknown, schema: z.ZodType): unknown {
	if (!(schema instanceof z.ZodObject) || typeof params !== "object" || params === null) return params;
	return Object.fromEntries(
		Object.entries(params).map(([field, value]) => {
			const wanted = schema.shape[field];
			const isMisread =
				typeof value === "number" && wanted && !wanted.safeParse(value).success && wanted.safeParse(String(value)).success;
			return [field, isMisread ? String(value) : value];
		})
	);
}

/**
 * Checks every call by its action's contract, looked up by name: put in `params`, a schema is cloned by Moleculer, and a cloned zod schema
 * lets everything through. The handler gets what the schema made of the input. Throws 422 `VALIDATION_ERROR` with a line for each field.
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
			localAction: (next: Handler, action: { name: string }): Handler => {
				const contract = this.contracts[action.name];
				if (!contract) return next;
				return ctx => {
					const params = ctx.meta.$repl ? numbersToText(ctx.params, contract.params) : ctx.params;
					const parsed = contract.params.safeParse(params ?? {});
					if (!parsed.success) return Promise.reject(invalid(fieldErrorsOf(parsed.error)));
					ctx.params = parsed.data;
					return next(ctx);
				};
			}
		} as unknown as ReturnType<Validators.Base["middleware"]>;
	}
}
