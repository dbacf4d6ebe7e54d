// The versions that one socket has got: of two frames with one value it never gets the lower version after the higher.
import type { Latest } from "../../../contract/topic.ts";
import type { Headers } from "../../../mixins/topics/topic-log.ts";

export interface VersionFilter {
	/** The data that may be sent: as it is, raised to the versions already sent, or undefined if it carries nothing new. */
	filter<Data>(code: string, data: Data, latest: Latest<Data>, headers?: Headers): Data | undefined;
	/** The socket has another user now, who has got nothing yet: frames are new again. Versions still never go down. */
	reset(): void;
}

/** Versions are kept of so many values; of more, the one unchanged for longest is evicted, or a client could fill the memory. */
const MAX_VALUES = 10_000;

class SocketVersions implements VersionFilter {
	/** The highest version of each value, under any code. */
	#highest: Map<string, number> | undefined = undefined;
	/** And under each code: a value that is new under one code may have been sent under another. */
	#sent: Map<string, number> | undefined = undefined;

	filter<Data>(code: string, data: Data, { versions, raise, always }: Latest<Data>, headers: Headers = {}): Data | undefined {
		const isBehind = versions(data, headers).some(({ key, version }) => version < this.#versionOf(key));
		if (isBehind && !raise) return undefined;
		// Raised only where needed: a frame that is the same for all sockets is written once.
		const sent = isBehind && raise ? raise(data, key => this.#versionOf(key)) : data;
		const values = versions(sent, headers);
		const isNew = values.some(({ key, version }) => version > (this.#sent?.get(`${code} ${key}`) ?? -1));
		if (!isNew && !always) return undefined;
		this.#sent ??= new Map();
		for (const { key, version } of values) {
			this.#keep(key, version);
			this.#sent.set(`${code} ${key}`, version);
		}
		return sent;
	}

	reset() {
		this.#sent = undefined;
	}

	#versionOf(key: string) {
		return this.#highest?.get(key) ?? 0;
	}

	#keep(key: string, version: number) {
		const highest = Math.max(version, this.#versionOf(key));
		this.#highest ??= new Map();
		this.#highest.delete(key);
		this.#highest.set(key, highest);
		if (this.#highest.size > MAX_VALUES) this.#highest.delete(this.#highest.keys().next().value as string);
	}
}

export const versionFilter = (): VersionFilter => new SocketVersions();
