import type { Service } from "moleculer";
import type { HandleBatch, HandleOne } from "./handler-types.ts";

/** The second argument of the broker middleware hook `handleTopicMessage`. */
export interface HandlerInfo {
	service: Service;
	topic: string;
	group: string;
	/** Whether the handler takes a whole batch. */
	batch: boolean;
}

export type Handler = { one: HandleOne<unknown> } | { batch: HandleBatch<unknown> };

/** Middlewares of a broker; not among Moleculer's types. */
interface Middlewares {
	wrapHandler<H>(hook: string, handler: H, info: HandlerInfo): H;
}

/** A service's handlers, bound to it and wrapped by the middlewares of its broker: once, so that messages cost nothing more without one. */
export function wrapHandlers(
	service: Service,
	group: string,
	handlers: Record<string, HandleOne<unknown> | { batch: HandleBatch<unknown> }>
): Record<string, Handler> {
	const middlewares = (service.broker as unknown as { middlewares: Middlewares }).middlewares;
	const wrap = <H>(topic: string, handler: H, batch: boolean) =>
		middlewares.wrapHandler("handleTopicMessage", handler, { service, topic, group, batch });
	return Object.fromEntries(
		Object.entries(handlers).map(([topic, handler]): [string, Handler] => [
			topic,
			typeof handler === "function"
				? { one: wrap<HandleOne<unknown>>(topic, received => handler.call(service, received), false) }
				: { batch: wrap<HandleBatch<unknown>>(topic, batch => handler.batch.call(service, batch), true) }
		])
	);
}
