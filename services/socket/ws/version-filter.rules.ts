// What one socket has seen: of two frames that show one value, it is never shown the lower after the higher.
import type { Latest } from "../../../contract/topic.ts";
import type { Headers } from "../../../mixins/topics/topic-log.ts";

export interface View {
	/** The frame's data as this socket may see it: as it is, raised to what it has seen, or undefined if that would tell it nothing. */
	admit<Data>(code: string, data: Data, latest: Latest<Data>, headers?: Headers): Data | undefined;
	/** Somebody else looks at it from now on, who has been told nothing yet. Nothing goes down even so. */
	untell(): void;
}

/** So many values are remembered; of more, those that have not moved for longest are forgotten, for else a peer could fill the memory with them. */
const MAX_VALUES = 10_000;

class SocketView implements View {
	/** The highest version of each value that any frame has shown. */
	#seen: Map<string, number> | undefined = undefined;
	/** And the highest under each code: news for one kind of frame may have been told by another. */
	#told: Map<string, number> | undefined = undefined;

	admit<Data>(code: string, data: Data, { shows, raise, always }: Latest<Data>, headers: Headers = {}): Data | undefined {
		const isBehind = shows(data, headers).some(({ key, version }) => version < this.#versionOf(key));
		if (isBehind && !raise) return undefined;
		// Not raised without need: a frame that is the same for all sockets is written once.
		const shown = isBehind && raise ? raise(data, key => this.#versionOf(key)) : data;
		const values = shows(shown, headers);
		const isNews = values.some(({ key, version }) => version > (this.#told?.get(`${code} ${key}`) ?? -1));
		if (!isNews && !always) return undefined;
		this.#told ??= new Map();
		for (const { key, version } of values) {
			this.#see(key, version);
			this.#told.set(`${code} ${key}`, version);
		}
		return shown;
	}

	untell() {
		this.#told = undefined;
	}

	#versionOf(key: string) {
		return this.#seen?.get(key) ?? 0;
	}

	#see(key: string, version: number) {
		const highest = Math.max(version, this.#versionOf(key));
		this.#seen ??= new Map();
		this.#seen.delete(key);
		this.#seen.set(key, highest);
		if (this.#seen.size > MAX_VALUES) this.#seen.delete(this.#seen.keys().next().value as string);
	}
}

export const createView = (): View => new SocketView();
