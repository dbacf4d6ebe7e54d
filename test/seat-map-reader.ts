// Reads the seat map of a show repeatedly, with its ETag, on any gateway that is up.
import { setTimeout as delay } from "node:timers/promises";
import type { SeatMap } from "./client.seats.ts";
import { httpClient } from "./client.ts";
import { any } from "./load-generator.ts";

/** How old the map may be from which buyers choose: they take each other's seats away all the time. */
const MAP_EVERY_MS = 200;

/** Adds answers that an outage does not explain to `unexpectedAnswers`. */
export function seatMapReader(urls: string[], showId: string, unexpectedAnswers: string[]) {
	let map: SeatMap | undefined;

	return {
		/** Undefined until the first answer. */
		latest: () => map,

		async readWhile(isRunning: () => boolean) {
			let etag = "";
			while (isRunning()) {
				try {
					const { status, headers, json } = await httpClient(any(urls)).get(`/api/shows/${showId}/seats`, {
						"if-none-match": etag
					});
					if (status === 200) [map, etag] = [json, headers.get("etag") ?? ""];
					else if (status !== 304 && status !== 503) unexpectedAnswers.push(`the map: ${status}`);
				} catch {
					// The gateway is down.
				}
				await delay(MAP_EVERY_MS);
			}
		}
	};
}
