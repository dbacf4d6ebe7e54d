// moleculer-web, configured: which routes exist, what a body may be, and what happens before each call.
import type { IncomingMessage, ServerResponse } from "node:http";
import { type Context, Errors, type ServiceBroker } from "moleculer";
import ApiGateway from "moleculer-web";
import { assertMayCall } from "../../contract/access.ts";
import { type Limits, startedKiB } from "../../mixins/limits/limits.ts";
import { clientOf, type Trusted } from "../../runtime/http/client-address.ts";
import { EXPOSED_HEADERS } from "../../runtime/http/cors.ts";
import { httpListenerOf } from "../../runtime/http/http-listener.ts";
import { MAX_BODY_BYTES, unannouncedCost } from "../../runtime/http/request-cost.ts";
import { actions } from "../contract.ts";
import type { Meta } from "../define-service.ts";
import { accountLimit, callerOf } from "./authenticate.ts";
import { isJson, jsonBody } from "./json-body.ts";
import { assertBodyIsJson, paramsOf } from "./params.ts";
import { contractOf, routes } from "./routes.ts";

export interface GatewayOptions {
	/** Whether clients without an account may act under an id that belongs to no account. */
	guests: boolean;
	allowedOrigins: readonly string[];
	/** Per account; 0: no limit. */
	maxRequestsPerSecond: number;
	/** Counts the requests of each account, over all nodes. */
	limits: Limits;
}

/** A request as moleculer-web extends it. */
export type GatewayRequest = IncomingMessage & {
	/** As it was sent, decompressed; undefined without a JSON body. */
	body?: Buffer;
	$params: Record<string, unknown>;
	$ctx: Context;
	$action: { name: string };
};

/** Mixin: moleculer-web with the routes that the contracts declare. */
export function gateway({ allowedOrigins, limits, maxRequestsPerSecond, guests }: GatewayOptions, isTrusted: Trusted) {
	const limitAccount = accountLimit(limits, maxRequestsPerSecond);

	/** Counts, for the client's address, a body whose size was not known before it was read. Rejects with 429 `TOO_MANY_REQUESTS`. */
	const limitBody = async (broker: ServiceBroker, req: GatewayRequest, address: string, bodyBytes: number) => {
		const cost = unannouncedCost(req, bodyBytes);
		const refusal = cost > 0 ? await httpListenerOf(broker).limit(address, cost) : undefined;
		if (refusal) throw new Errors.MoleculerClientError(refusal.message, refusal.code, refusal.type, refusal.data);
	};

	return {
		...ApiGateway,
		// moleculer-web's other actions list and change routes; nothing here needs them.
		actions: { rest: ApiGateway.actions!.rest! },
		settings: {
			...ApiGateway.settings,
			// runtime/http/http-listener.ts listens.
			server: false,
			// Together these make a request 2.5 to 4 times slower.
			logRequest: null,
			logRequestParams: null,
			logResponse: null,
			logRouteRegistration: null,
			cors: undefined,
			routes: [
				{
					path: "/",
					aliases: routes(actions),
					// As for files: `/API/orders` and `/api/orders/` are different paths, and are 404.
					pathToRegexpOptions: { sensitive: true, trailing: false },
					mappingPolicy: "restrict",
					autoAliases: false,
					logging: false,
					mergeParams: false,
					// Only reads: body-parser's own JSON decodes other charsets, and replaces what is not UTF-8.
					bodyParsers: { raw: { limit: MAX_BODY_BYTES, type: isJson } },
					cors: {
						origin: (origin: string) => allowedOrigins.includes(origin),
						methods: ["GET", "POST", "PATCH"],
						allowedHeaders: ["Content-Type", "Authorization", "Idempotency-Key", "X-Request-ID"],
						exposedHeaders: EXPOSED_HEADERS,
						credentials: true,
						maxAge: 600
					},
					async onBeforeCall(
						ctx: Context<unknown, Meta>,
						_route: unknown,
						req: GatewayRequest,
						_res: ServerResponse,
						{ action }: { action: string }
					) {
						const contract = contractOf(action);
						const { address } = clientOf(req, isTrusted);
						const bodyBytes = req.body?.length ?? 0;
						await limitBody(ctx.broker, req, address, bodyBytes);
						await assertBodyIsJson(contract, req);
						req.$params.body = jsonBody(req);
						const params = paramsOf(contract, req);
						ctx.meta.address = address;
						ctx.meta.caller = await callerOf(ctx, contract, req);
						await limitAccount(ctx.meta.caller, Math.max(startedKiB(bodyBytes), contract.cost?.(params) ?? 1));
						assertMayCall(contract, params, ctx.meta.caller, { guests });
						req.$params = params;
					}
				}
			]
		}
	};
}
