// For tests of what a contract says about its route: a gateway with the routes of a few notes alone, as a client sees it.
import { type Context, ServiceBroker } from "moleculer";
import { z } from "zod";
import { action } from "../../contract/action.ts";
import { notFound, unauthorized } from "../../mixins/errors.ts";
import { memoryLimits } from "../../mixins/limits/limits.ts";
import { createConnections } from "../../runtime/http/connections.ts";
import { httpListener, httpListenerOf } from "../../runtime/http/http-listener.ts";
import { httpClient } from "../../test/client.ts";
import { api } from "./api.ts";
import type { Contracts } from "./routes.ts";

/** The origin whose pages may call the API. */
export const FRIEND = "https://friend.example";
export const MAX_BODY = { bytes: 512 * 1024, values: 20_000 };
/** The text of the note `large`, of more than three times 64 KiB. */
const LARGE = "x".repeat(200_000);

const id = z.strictObject({ id: z.string() });
const result = z.any();

const contracts: Contracts = {
	"notes.put": action({
		params: z.strictObject({ id: z.string(), text: z.string() }),
		result,
		who: "account",
		rest: "PUT /notes/:id"
	}),
	"notes.remove": action({ params: id, result: z.null(), who: "account", rest: "DELETE /notes/:id", status: 204 }),
	"notes.get": action({
		params: id,
		result,
		who: "anyone",
		rest: "GET /notes/:id",
		etag: (note: { version: number }) => `v${note.version}`
	}),
	"notes.fill": action({
		params: z.looseObject({}),
		result,
		who: "admin",
		rest: "POST /notes",
		status: 201,
		maxBody: MAX_BODY
	}),
	"notes.add": action({ params: z.looseObject({}), result, who: "account", rest: "POST /notes/:id" })
};

/** The callers, by their tokens. */
const callers: Record<string, { id: string; role: string }> = {
	user: { id: "u", role: "user" },
	boss: { id: "b", role: "admin" }
};
export const bearer = (token: string) => ({ authorization: `Bearer ${token}` });
/** The headers of a JSON body. */
export const json = (token: string, more = {}) => ({ "content-type": "application/json", ...bearer(token), ...more });

/** `calls`: of the notes' actions; `change` gives all notes the next version. */
export async function startGateway(maxRequestsPerSecond = 0) {
	// The clock stands still: nothing is given back.
	const limits = memoryLimits({ now: () => 0 });
	const connections = createConnections({ maxPerAddress: 0, maxTotal: 1_000, isTrusted: () => false });
	const config = {
		services: ["api"],
		host: "127.0.0.1",
		httpPort: 0,
		extraHttpPorts: [],
		grpcPort: 0,
		metricsHost: "127.0.0.1",
		metricsPort: 0,
		maxRequestsPerSecond,
		trustedProxies: [],
		allowedOrigins: [FRIEND]
	};
	const broker = new ServiceBroker({
		logger: false,
		middlewares: [
			httpListener({ ...config, limits: () => limits, connections: () => connections }, async () => ({
				status: "ok",
				checks: {}
			}))
		]
	});
	const calls: Context<Record<string, unknown>, { caller?: { id: string } }>[] = [];
	let version = 1;
	const handler = (ctx: (typeof calls)[number]) => {
		calls.push(ctx);
		return { id: ctx.params.id };
	};
	broker.createService({
		name: "notes",
		actions: {
			put: handler,
			fill: handler,
			add: handler,
			remove(ctx: (typeof calls)[number]) {
				handler(ctx);
				return null;
			},
			get(ctx: (typeof calls)[number]) {
				handler(ctx);
				if (ctx.params.id === "none") throw notFound("There is no such note");
				return { version, text: ctx.params.id === "large" ? LARGE : "" };
			}
		}
	});
	broker.createService({
		name: "users",
		actions: {
			authenticate({ params: { token } }: Context<{ token: string }>) {
				if (!callers[token]) throw unauthorized("This token is not valid");
				return { ...callers[token], session: "s", expiresAtMs: Number.MAX_SAFE_INTEGER };
			}
		}
	});
	broker.createService(api({ ...config, guests: true, limits, contracts }));
	await broker.start();
	const { port } = httpListenerOf(broker).server.address() as { port: number };
	const url = `http://127.0.0.1:${port}`;
	return { broker, url, port, http: httpClient(url), calls, change: () => version++ };
}

export type Gateway = Awaited<ReturnType<typeof startGateway>>;
