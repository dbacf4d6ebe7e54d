import { isUtf8 } from "node:buffer";
import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import { join } from "node:path";
import type { Context, Service } from "moleculer";
import ApiGateway from "moleculer-web";
import { mayCall } from "../../contract/access.ts";
import type { ActionContract, Identity } from "../../contract/action.ts";
import { isUnavailable, tooMany } from "../../mixins/errors.ts";
import { rateOf } from "../../mixins/limits/limits.ts";
import { config } from "../../runtime/config.ts";
import { limits } from "../../runtime/drivers.ts";
import { bearerOf } from "../../runtime/http/bearer.ts";
import { clientOf, trustedProxies } from "../../runtime/http/client-address.ts";
import { allowCorsRead, EXPOSED_HEADERS } from "../../runtime/http/cors.ts";
import { sendError, sendJson, toHttp } from "../../runtime/http/http-error.ts";
import { httpListenerOf } from "../../runtime/http/http-listener.ts";
import { isDeeperThan } from "../../runtime/http/json-depth.ts";
import { isAllowedOrigin } from "../../runtime/http/origin.ts";
import { actions } from "../contract.ts";
import { defineService, type Meta } from "../define-service.ts";
import { isOneForAll, oneForAll } from "./coalesced-get.ts";
import { dropCookie, toCookie } from "./cookies.ts";
import { openapi } from "./openapi.ts";
import { packageFiles } from "./package-files.ts";
import { withinPublic } from "./page-paths.ts";
import { contractOf, paramsOf, routes } from "./routes.ts";

type Gateway = Service & { express(): (req: IncomingMessage, res: ServerResponse) => void };
type Request = IncomingMessage & { $params: Record<string, unknown>; $ctx: Context; $action: { name: string } };

const document = openapi(actions, config);
const BODY_LIMIT = "64kb";
const PUBLIC = join(import.meta.dirname, "../../public");

/** What the page lives under: its own scripts, styles, images and sockets, and nothing that turns text into code. */
const PAGE_POLICY = [
	"default-src 'none'",
	...["script-src", "style-src", "img-src", "connect-src"].map(source => `${source} 'self'`),
	...["base-uri", "form-action", "frame-ancestors"].map(never => `${never} 'none'`),
	"require-trusted-types-for 'script'",
	"trusted-types 'none'"
].join("; ");

const setPageHeaders = (res: ServerResponse) => {
	res.setHeader("Content-Security-Policy", PAGE_POLICY);
	// It may be kept, and is asked for again each time: its ETag says whether it still holds.
	res.setHeader("Cache-Control", "no-cache");
};

const refuseBody = (_req: IncomingMessage, _res: ServerResponse, body: Buffer) => {
	// Decoded, broken UTF-8 would become U+FFFD, and two ids could become one.
	if (!isUtf8(body)) throw new Error("not UTF-8");
	if (isDeeperThan(body.toString("latin1"))) throw Object.assign(new Error("too deep"), { type: "entity.too.deep" });
};

const isTrusted = trustedProxies(config.trustedProxies);
const accountRate = rateOf(config.maxRequestsPerSecond);

/** As often as an address, and however many addresses it has. Throws 429 `TOO_MANY_REQUESTS`. */
async function limitAccount(caller: Identity | undefined) {
	const waitMs = caller && (await limits().take(`account:${caller.id}`, accountRate));
	if (waitMs !== undefined) throw tooMany("Too many requests of this account, slow down", waitMs);
}

/**
 * Whose token a request carries. Where anyone may ask, one that is not valid is as good as none; elsewhere it is refused, whatever guests may do. That
 * nobody can say now whether it is valid counts where a session is at stake.
 */
async function callerOf(
	ctx: Context<unknown, Meta>,
	{ who, restCookie }: ActionContract,
	req: Request
): Promise<Identity | undefined> {
	const token = bearerOf(req);
	if (token === undefined) return undefined;
	const known = ctx.call<Identity, object>("users.authenticate", { token });
	return who === "anyone"
		? known.catch(error => (restCookie && isUnavailable(error) ? Promise.reject(error) : undefined))
		: known;
}

const gateway = {
	...ApiGateway,
	// Its own actions lead to the list of routes and to changing them: nobody needs either.
	actions: { rest: ApiGateway.actions!.rest! },
	settings: {
		...ApiGateway.settings,
		// The front door listens.
		server: false,
		// Each of these costs more than the request: a factor of 2.5 to 4 together.
		logRequest: null,
		logRequestParams: null,
		logResponse: null,
		logRouteRegistration: null,
		assets: { folder: PUBLIC, options: { etag: true, dotfiles: "ignore", setHeaders: setPageHeaders } },
		cors: undefined,
		routes: [
			{
				path: "/",
				aliases: routes(actions),
				mappingPolicy: "restrict",
				autoAliases: false,
				logging: false,
				mergeParams: false,
				bodyParsers: { json: { limit: BODY_LIMIT, strict: false, verify: refuseBody } },
				cors: {
					origin: (origin: string) => config.allowedOrigins.includes(origin),
					methods: ["GET", "POST", "PATCH"],
					allowedHeaders: ["Content-Type", "Authorization", "Idempotency-Key", "X-Request-ID"],
					exposedHeaders: EXPOSED_HEADERS,
					credentials: true,
					maxAge: 600
				},
				async onBeforeCall(
					ctx: Context<unknown, Meta>,
					_route: unknown,
					req: Request,
					_res: ServerResponse,
					{ action }: { action: string }
				) {
					const contract = contractOf(action);
					const params = paramsOf(contract, req);
					ctx.meta.address = clientOf(req, isTrusted).address;
					ctx.meta.caller = await callerOf(ctx, contract, req);
					await limitAccount(ctx.meta.caller);
					mayCall(contract, params, ctx.meta.caller, config);
					req.$params = params;
				}
			}
		]
	}
};

/** HTTP: the routes that the contracts declare, the page, and nothing else. */
export default defineService({
	name: "api",
	mixins: [gateway],

	actions: {
		openapi: async () => document
	},

	methods: {
		/** In place of the gateway's own, which would log a warning for every 201 without a Location. */
		sendResponse(req: Request, res: ServerResponse, data: unknown) {
			const contract = contractOf(req.$action.name);
			sendJson(res, contract.status ?? 200, toCookie(contract, req, res, data, clientOf(req, isTrusted).isSecure));
		},

		/** The gateway's own refuses origins that are not listed, with 403; but it takes whatever has an Origin for foreign, and browsers send it to their own origin too. */
		writeCorsHeaders(this: Service, route: unknown, req: Request, res: ServerResponse, isPreFlight: boolean) {
			if (isAllowedOrigin(req, [], clientOf(req, isTrusted).isSecure)) return;
			ApiGateway.methods!.writeCorsHeaders!.call(this, route, req, res, isPreFlight);
		},

		/** In place of the gateway's own, which lets the messages of plain errors out. */
		sendError(this: Service, req: Request, res: ServerResponse, error: Error) {
			const answer = toHttp(error);
			if (answer.code === 500)
				this.logger.error(`${req.method} ${req.url} failed`, { requestID: req.headers["x-request-id"] }, error);
			if (answer.code === 401 && req.$action)
				dropCookie(contractOf(req.$action.name), req, res, clientOf(req, isTrusted).isSecure);
			// A body that cannot be read is refused before the gateway looks at the origin.
			allowCorsRead(req, res, config.allowedOrigins);
			sendError(res, answer);
		},

		/** In place of the gateway's own: what is to be logged is decided above. */
		errorHandler(this: Service & { sendError(...args: unknown[]): void }, req: Request, res: ServerResponse, error: Error) {
			this.sendError(req, res, error);
		}
	},

	started() {
		const answer = (this as unknown as Gateway).express();
		const door = httpListenerOf(this.broker);
		for (const [path, file] of packageFiles(setPageHeaders)) door.requests.set(path, file);
		const gateway: RequestListener = (req, res) => {
			const isPreFlight = req.headers["access-control-request-method"] !== undefined;
			req.url = withinPublic(req.url ?? "/");
			if (req.method !== "OPTIONS" || isPreFlight) return answer(req, res);
			// The gateway would look for a route of no method, and find the first that there is. Which methods a path has is in the published document.
			res.writeHead(204).end();
		};
		const fail = (req: IncomingMessage, res: ServerResponse, error: Error) => this.sendError(req as Request, res, error);
		for (const [action, contract] of Object.entries<ActionContract>(actions))
			if (isOneForAll(contract))
				door.requests.set(contract.rest!.replace("GET ", ""), oneForAll(this.broker, action, { gateway, fail }));
		door.answer = gateway;
	}
});
