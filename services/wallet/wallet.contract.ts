// The contract of wallet: the total that each user has spent.
import { z } from "zod";
import { action } from "../../contract/action.ts";
import { Id } from "../../contract/id.ts";
import { topic } from "../../contract/topic.ts";

export const dependsOn = ["purchase"] as const;

export const BalanceRequest = z.strictObject({ user_id: Id });
export const Balances = z
	.strictObject({ balances: z.strictObject({ total: z.number().nonnegative() }) })
	.meta({ id: "Balances" });

/** A user's new balance, published once the total in the balance store is up to date. Header `seq` is its version. */
export const WalletBalance = z.object({ user_id: Id, balances: z.object({ total: z.number().nonnegative() }) });

export const actions = {
	/** Errors: `UNAVAILABLE` if Redis and Postgres are unavailable; never a wrong total. */
	"wallet.getBalance": action({
		summary: "Returns the total that a user has spent: 0 for a user without purchases",
		params: BalanceRequest,
		result: Balances,
		example: { params: { user_id: "123" }, result: { balances: { total: 49.99 } } },
		who: "owner",
		rest: "GET /api/wallet/:user_id",
		actor: request => request.user_id
	}),
	/** The older name of `wallet.getBalance`. */
	"wallet.getTotalSpent": action({ params: BalanceRequest, result: Balances })
};

export const topics = {
	WalletBalance: topic({
		message: WalletBalance,
		key: balance => balance.user_id,
		deliveries: [
			{
				to: { user: ({ user_id }) => user_id },
				frame: "balance",
				latest: { versions: ({ user_id }, { seq }) => [{ key: `balance:${user_id}`, version: Number(seq) }] }
			}
		]
	})
};

export type BalanceRequest = z.output<typeof BalanceRequest>;
export type WalletBalance = z.output<typeof WalletBalance>;
