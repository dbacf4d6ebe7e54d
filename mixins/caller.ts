import type { CallingOptions } from "moleculer";

/** Whatever calls actions: a broker, or a context that carries a request id on. */
export interface Caller {
	call(action: string, params: object, options?: CallingOptions): Promise<unknown>;
}
