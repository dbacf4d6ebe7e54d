// What one socket has seen: of two frames that show one value, it is never shown the lower after the higher.
import type { Latest } from "../../define.ts";
import type { Headers } from "../../mixins/topics/topic-log.ts";

export interface View {
	/** The frame's data as this socket may see it: as it is, raised to what it has seen, or undefined if that would tell it nothing. */
	admit<Data>(code: string, data: Data, latest: Latest<Data>, headers?: Headers): Data | undefined;
	/** Somebody else looks at it from now on, who has been told nothing yet. Nothing goes down even so. */
	untell(): void;
}

/** So many values are remembered; of more, those that have not moved for longest are forgotten, for else a peer could fill the memory with them. */
const MAX_VALUES = 10_000;

export function createView(): View {
	/** The highest version of each value that any frame has shown. */
	const seen = new Map<string, number>();
	/** And the highest under each code: news for one kind of frame may have been told by another. */
	const told = new Map<string, number>();
	const versionOf = (key: string) => seen.get(key) ?? 0;

	const see = (key: string, version: number) => {
		const highest = Math.max(version, versionOf(key));
		seen.delete(key);
		seen.set(key, highest);
		if (seen.size > MAX_VALUES) seen.delete(seen.keys().next().value as string);
	};

	return {
		admit(code, data, { shows, raise, always }, headers = {}) {
			const isBehind = shows(data, headers).some(({ key, version }) => version < versionOf(key));
			if (isBehind && !raise) return undefined;
			// Not raised without need: a frame that is the same for all sockets is written once.
			const shown = isBehind && raise ? raise(data, versionOf) : data;
			const values = shows(shown, headers);
			const isNews = values.some(({ key, version }) => version > (told.get(`${code} ${key}`) ?? -1));
			if (!isNews && !always) return undefined;
			for (const { key, version } of values) {
				see(key, version);
				told.set(`${code} ${key}`, version);
			}
			return shown;
		},

		untell: () => told.clear()
	};
}
