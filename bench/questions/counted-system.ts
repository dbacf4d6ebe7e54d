// A running Plaza, all services in one process, that counts what it sends.
import { join } from "node:path";
import { freePorts } from "../../test/process.ts";
import { type Profile, type System, startSystem } from "../../test/system.ts";
import { JWT_SECRET } from "../../test/tokens.ts";
import type { Counts } from "./counts.ts";

export interface CountedSystem extends Pick<System, "url" | "wsUrl" | "stop"> {
	/** Since its start. */
	counts(): Promise<Counts>;
	/** Appends a record without headers, as a foreign client would. */
	append(record: { topic: string; key: string; value: string }): Promise<void>;
}

/** `folder`: the checkout that runs. The cluster profile uses the servers of the environment. */
export async function startCountedSystem(profile: Profile, folder: string): Promise<CountedSystem> {
	const [port] = await freePorts(1);
	const env = {
		JWT_SECRET,
		REQUEST_COUNTS_PORT: String(port),
		NODE_OPTIONS: `--import=${join(import.meta.dirname, "preload.ts")} --disable-warning=TimeoutNegativeWarning`
	};
	const system = await startSystem({ profile, env, layout: { plaza: "" }, folder });
	const ask = async (init?: RequestInit) => {
		const response = await fetch(`http://127.0.0.1:${port}`, init);
		const text = await response.text();
		if (!response.ok) throw new Error(text);
		return JSON.parse(text) as Counts;
	};
	return {
		url: system.url,
		wsUrl: system.wsUrl,
		stop: system.stop,
		counts: () => ask(),
		async append(record) {
			await ask({ method: "POST", body: JSON.stringify([record]) });
		}
	};
}
