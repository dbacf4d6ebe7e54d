// moleculer-web, configured: which routes exist, what a body may be, and what happens before each call.
import { isUtf8 } from "node:buffer";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Context } from "moleculer";
import ApiGateway from "moleculer-web";
import { assertMayCall } from "../../contract/access.ts";
import type { Limits } from "../../mixins/limits/limits.ts";
import { clientOf, type Trusted } from "../../runtime/http/client-address.ts";
import { EXPOSED_HEADERS } from "../../runtime/http/cors.ts";
import { isDeeperThan } from "../../runtime/http/json-depth.ts";
import { actions } from "../contract.ts";
import type { Meta } from "../define-service.ts";
import { accountLimit, callerOf } from "./authenticate.ts";
import { PUBLIC_DIR, setPageHeaders } from "./pages.ts";
import { contractOf, paramsOf, routes } from "./routes.ts";

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
	$params: Record<string, unknown>;
	$ctx: Context;
	$action: { name: string };
};

const BODY_LIMIT = "64kb";

const verifyBody = (_req: IncomingMessage, _res: ServerResponse, body: Buffer) => {
	// Decoding replaces invalid UTF-8 by U+FFFD, which could make two different ids equal.
	if (!isUtf8(body)) throw new Error("not UTF-8");
	if (isDeeperThan(body.toString("latin1"))) throw Object.assign(new Error("too deep"), { type: "entity.too.deep" });
};

/** Mixin: moleculer-web with the routes that the contracts declare. */
export function gateway({ allowedOrigins, limits, maxRequestsPerSecond, guests }: GatewayOptions, isTrusted: Trusted) {
	const limitAccount = accountLimit(limits, maxRequestsPerSecond);
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
			assets: { folder: PUBLIC_DIR, options: { etag: true, dotfiles: "ignore", setHeaders: setPageHeaders } },
			cors: undefined,
			routes: [
				{
					path: "/",
					aliases: routes(actions),
					mappingPolicy: "restrict",
					autoAliases: false,
					logging: false,
					mergeParams: false,
					bodyParsers: { json: { limit: BODY_LIMIT, strict: false, verify: verifyBody } },
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
						const params = paramsOf(contract, req);
						ctx.meta.address = clientOf(req, isTrusted).address;
						ctx.meta.caller = await callerOf(ctx, contract, req);
						await limitAccount(ctx.meta.caller);
						assertMayCall(contract, params, ctx.meta.caller, { guests });
						req.$params = params;
					}
				}
			]
		}
	};
}
