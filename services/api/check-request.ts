// What happens to every request before its action is called: it is counted in the limits, its params are read, and its caller is identified.
import type { IncomingMessage } from "node:http";
import { Errors, type ServiceBroker } from "moleculer";
import { assertMayCall } from "../../contract/access.ts";
import type { ActionContract } from "../../contract/action.ts";
import { type Limits, rateOf, startedKiB } from "../../mixins/limits/limits.ts";
import { clientOf, type Trusted } from "../../runtime/http/client-address.ts";
import { httpListenerOf } from "../../runtime/http/http-listener.ts";
import { announcedCost, unannouncedCost } from "../../runtime/http/request-cost.ts";
import type { Caller, Meta } from "../define-service.ts";
import { accountLimit, callerOf } from "./authenticate.ts";
import { jsonBody } from "./json-body.ts";
import { assertBodyIsJson, type Parsed, paramsOf } from "./params.ts";

export interface RequestRules {
	/** Whether clients without an account may act under an id that belongs to no account. */
	guests: boolean;
	/** Per account; 0: no limit. */
	maxRequestsPerSecond: number;
	/** Counts the requests of each account, over all nodes. */
	limits: Limits;
}

/** A request; its body has been read or is read by the check. */
export type ReadRequest = IncomingMessage & {
	/** As it was sent, decompressed; undefined without a JSON body. */
	body?: Buffer;
	/** What its URL contains. */
	$params: Parsed;
};

/** What the action gets. The action's contract has not validated the params yet. */
export interface CheckedRequest {
	params: Record<string, unknown>;
	meta: Meta;
}

/** Counts further requests for a client's address: a request was counted by what was known of it when it arrived. Rejects with 429 `TOO_MANY_REQUESTS`. */
export async function limitAddress(broker: ServiceBroker, address: string, cost: number) {
	const refusal = cost > 0 ? await httpListenerOf(broker).limit(address, cost) : undefined;
	if (refusal) throw new Errors.MoleculerClientError(refusal.message, refusal.code, refusal.type, refusal.data);
}

/**
 * The check for the requests of one node. `readBody` reads a body that is not read yet. The check rejects as `readBody` does, with the errors that `jsonBody`,
 * `paramsOf`, `callerOf` and `assertMayCall` describe, and with 429 `TOO_MANY_REQUESTS` for a client or an account that sends too much.
 */
export function requestCheck({ limits, maxRequestsPerSecond, guests }: RequestRules, isTrusted: Trusted) {
	const limitAccount = accountLimit(limits, maxRequestsPerSecond);
	const burst = rateOf(maxRequestsPerSecond).burst || Number.POSITIVE_INFINITY;

	return async (
		broker: ServiceBroker,
		contract: ActionContract,
		req: ReadRequest,
		readBody?: () => Promise<void>
	): Promise<CheckedRequest> => {
		const { address } = clientOf(req, isTrusted);
		const identify = () => callerOf(broker as unknown as Caller, contract, req);
		// Nobody but those who may call the action can make the server read a body that is larger than those of other actions.
		const early = contract.maxBody && { caller: await identify() };
		if (early) assertMayCall(contract, {}, early.caller, { guests });
		await readBody?.();
		const bodyBytes = req.body?.length ?? 0;
		// No request costs more than a full burst: it could never be accepted.
		await limitAddress(broker, address, Math.min(unannouncedCost(req, bodyBytes), burst - announcedCost(req)));
		await assertBodyIsJson(contract, req);
		req.$params.body = jsonBody(req, contract.maxBody?.values);
		const params = paramsOf(contract, req);
		const [cost, counted] = [contract.cost?.(params) ?? 1, startedKiB(bodyBytes)];
		// One person may have many accounts.
		await limitAddress(broker, address, Math.min(cost, burst) - counted);
		const { caller } = early ?? { caller: await identify() };
		await limitAccount(caller, Math.max(cost, counted));
		assertMayCall(contract, params, caller, { guests });
		return { params, meta: { address, caller } };
	};
}

export type CheckRequest = ReturnType<typeof requestCheck>;
