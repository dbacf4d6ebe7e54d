import type { CallingOptions } from "moleculer";

/** Calls actions: a broker, or a context that carries on its request's id. */
export interface Caller {
	call(action: string, params: object, options?: CallingOptions): Promise<unknown>;
}
