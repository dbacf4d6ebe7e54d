import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import type { Service } from "moleculer";
import ApiGateway from "moleculer-web";
import { clientOf, trustedProxies } from "../../runtime/http/client-address.ts";
import { sendError, sendJson, sendText, toHttp } from "../../runtime/http/http-error.ts";
import { httpListenerOf } from "../../runtime/http/http-listener.ts";
import { isAllowedOrigin } from "../../runtime/http/origin.ts";
import { setSecurityHeaders } from "../../runtime/http/security-headers.ts";
import { actions } from "../contract.ts";
import { defineService } from "../define-service.ts";
import { limitAddress, type RequestRules, requestCheck } from "./check-request.ts";
import { coalescedGet, isCoalescable } from "./coalesced-get.ts";
import { dropCookie, toCookie } from "./cookies.ts";
import { directPost, isDirect } from "./direct-post.ts";
import { isFresh, sendTag } from "./etag.ts";
import { etagGet } from "./etag-get.ts";
import { type GatewayRequest, gateway } from "./gateway.ts";
import { openapi } from "./openapi.ts";
import { packageFiles } from "./package-files.ts";
import { fileUrlOf, pageFiles, setPageHeaders } from "./pages.ts";
import { splitUrl } from "./params.ts";
import type { Contracts } from "./routes.ts";

export interface ApiOptions extends RequestRules {
	allowedOrigins: readonly string[];
	/** Addresses and networks of the proxies whose X-Forwarded-* headers are trusted. */
	trustedProxies: readonly string[];
	/** The actions whose routes it serves. Default: those of all services. */
	contracts?: Contracts;
}

/** What moleculer-web adds to the service. */
type Gateway = { express(): RequestListener; serve: ReturnType<typeof pageFiles> };

/** HTTP: the routes that the contracts declare, and the pages. Every other path is a 404. */
export function api(options: ApiOptions) {
	const { contracts = actions as unknown as Contracts } = options;
	const contractOf = (action: string) => contracts[action]!;
	const document = openapi(contracts, options);
	const isTrusted = trustedProxies(options.trustedProxies);
	const isSecure = (req: IncomingMessage) => clientOf(req, isTrusted).isSecure;
	const isOwnOrigin = (req: IncomingMessage) => isAllowedOrigin(req, [], isSecure(req));
	const check = requestCheck(options, isTrusted);
	const share = etagGet(options);

	return defineService({
		name: "api",
		mixins: [gateway(options, contracts, check)],

		actions: {
			openapi: async () => document
		},

		methods: {
			parseQueryString: splitUrl,

			/** Replaces moleculer-web's, which logs a warning for every 201 without a Location header. */
			sendResponse(req: GatewayRequest, res: ServerResponse, data: unknown) {
				const contract = contractOf(req.$action.name);
				const { status = 200 } = contract;
				const body = toCookie(contract, req, res, data, isSecure(req));
				if (status === 204) res.writeHead(status).end();
				else sendJson(res, status, body);
			},

			/** Adds to moleculer-web's the responses that requests share. */
			async callAction(
				this: Service,
				route: unknown,
				action: string,
				req: GatewayRequest,
				res: ServerResponse,
				params: Record<string, unknown>
			) {
				const contract = contractOf(action);
				if (!contract.etag) return ApiGateway.methods!.callAction!.call(this, route, action, req, res, params);
				const { meta } = req.$ctx;
				const requestID = req.headers["x-request-id"] as string;
				// Without the caller: others get the same response.
				const call = () => this.broker.call(action, params, { requestID, meta: { address: meta.address } });
				const { tag, text } = await share(action, contract, params, call);
				const pay = (requests: number) => limitAddress(this.broker, meta.address!, requests);
				const body = isFresh(req, tag) ? undefined : await text(pay);
				if (!sendTag(req, res, tag)) sendText(res, 200, body!);
				return true;
			},

			/**
			 * moleculer-web's answers 403 for an origin that is not listed. It takes every request with an Origin header for cross-origin, but browsers
			 * also send one with same-origin requests.
			 */
			writeCorsHeaders(this: Service, route: unknown, req: GatewayRequest, res: ServerResponse, isPreFlight: boolean) {
				if (isOwnOrigin(req)) return;
				ApiGateway.methods!.writeCorsHeaders!.call(this, route, req, res, isPreFlight);
			},

			/** Replaces moleculer-web's, which sends the messages of plain errors to the client. */
			sendError(this: Service, req: GatewayRequest, res: ServerResponse, error: Error) {
				const httpError = toHttp(error);
				if (httpError.code === 500)
					this.logger.error(`${req.method} ${req.url} failed`, { requestID: req.headers["x-request-id"] }, error);
				if (httpError.code === 401 && req.$action) dropCookie(contractOf(req.$action.name), req, res, isSecure(req));
				// A file that failed may have replaced them with the headers of a page.
				if (!res.headersSent) setSecurityHeaders(res, isSecure(req));
				sendError(res, httpError);
			},

			/** Replaces moleculer-web's, which logs every error; `sendError` above decides what is logged. */
			errorHandler(
				this: Service & { sendError(...args: unknown[]): void },
				req: GatewayRequest,
				res: ServerResponse,
				error: Error
			) {
				this.sendError(req, res, error);
			}
		},

		started() {
			const web = this as unknown as Gateway;
			const express = web.express();
			const listener = httpListenerOf(this.broker);
			const gateway: RequestListener = (req, res) => {
				const isPreFlight = req.headers["access-control-request-method"] !== undefined;
				req.url = fileUrlOf(req.url ?? "/");
				if (req.method !== "OPTIONS" || isPreFlight) return express(req, res);
				// moleculer-web would answer a plain OPTIONS by calling the first route of the path. The methods of a path are in the OpenAPI document.
				res.writeHead(204).end();
			};
			const fail = (req: IncomingMessage, res: ServerResponse, error: Error) => this.sendError(req as GatewayRequest, res, error);
			web.serve = pageFiles(fail);
			for (const [path, file] of packageFiles(setPageHeaders, gateway)) listener.routes.set(path, file);
			const respond = (req: IncomingMessage, res: ServerResponse, result: unknown) =>
				this.sendResponse(req as GatewayRequest, res, result);
			for (const [action, contract] of Object.entries(contracts)) {
				const [, path = ""] = contract.rest?.split(" ") ?? [];
				if (isCoalescable(contract)) listener.routes.set(path, coalescedGet(this.broker, action, { gateway, fail }));
				if (isDirect(contract))
					listener.routes.set(path, directPost(this.broker, [action, contract], { gateway, check, isOwnOrigin, respond, fail }));
			}
			listener.gateway = gateway;
		}
	});
}
