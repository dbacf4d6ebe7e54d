// moleculer-web, configured: which routes exist, what a body may be, and what happens before each call.
import type { ServerResponse } from "node:http";
import type { Context } from "moleculer";
import ApiGateway from "moleculer-web";
import { EXPOSED_HEADERS } from "../../runtime/http/cors.ts";
import { MAX_BODY_BYTES } from "../../runtime/http/request-cost.ts";
import type { Meta } from "../define-service.ts";
import type { CheckRequest, ReadRequest } from "./check-request.ts";
import { readBody } from "./read-body.ts";
import { type Contracts, routes } from "./routes.ts";

/** A request as moleculer-web extends it. */
export type GatewayRequest = ReadRequest & {
	$ctx: Context<unknown, Meta>;
	$action: { name: string };
};

/** Mixin: moleculer-web with the routes that the contracts declare. */
export function gateway({ allowedOrigins }: { allowedOrigins: readonly string[] }, contracts: Contracts, check: CheckRequest) {
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
					aliases: routes(contracts),
					// As for files: `/API/orders` and `/api/orders/` are different paths, and are 404.
					pathToRegexpOptions: { sensitive: true, trailing: false },
					mappingPolicy: "restrict",
					autoAliases: false,
					logging: false,
					mergeParams: false,
					// `onBeforeCall` reads the body: only there is the action known, and with it how large the body may be.
					bodyParsers: false,
					cors: {
						origin: (origin: string) => allowedOrigins.includes(origin),
						methods: ["GET", "POST", "PUT", "PATCH", "DELETE"],
						allowedHeaders: ["Content-Type", "Authorization", "Idempotency-Key", "If-None-Match", "X-Request-ID"],
						exposedHeaders: EXPOSED_HEADERS,
						credentials: true,
						maxAge: 600
					},
					async onBeforeCall(
						ctx: Context<unknown, Meta>,
						_route: unknown,
						req: ReadRequest & { $params: object },
						res: ServerResponse,
						{ action }: { action: string }
					) {
						const contract = contracts[action]!;
						const read = () => readBody(req, res, contract.maxBody?.bytes ?? MAX_BODY_BYTES);
						const { params, meta } = await check(ctx.broker, contract, req, read);
						Object.assign(ctx.meta, meta);
						req.$params = params;
					}
				}
			]
		}
	};
}
