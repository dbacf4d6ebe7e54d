// All measures, in the order in which they run and are reported.
import type { Measure } from "./measure.ts";
import { purchases } from "./measures/g1-purchases.ts";
import { naivePurchases, pacedPurchases } from "./measures/g2-naive.ts";
import { onePick } from "./measures/g3-one-pick.ts";
import { drain } from "./measures/g4-drain.ts";
import { accept } from "./measures/g4b-accept.ts";
import { balance } from "./measures/g5-balance.ts";
import { idleSockets } from "./measures/g6-idle-sockets.ts";
import { commitToFrame, pacedCommitToFrame } from "./measures/g7-commit-to-frame.ts";
import { oneProduct, oneProductWhole } from "./measures/g9-orders.ts";
import { ready } from "./measures/g12-ready.ts";
import { selectionsList } from "./measures/g13-selections.ts";
import { busierPicks, pacedPicks } from "./measures/g14-picks.ts";
import { embeddedPicks } from "./measures/g17-embedded-picks.ts";
import { idle } from "./measures/g18-idle.ts";
import { embeddedSeats, heldSeats } from "./measures/g19-seats.ts";
import { watchedSeats } from "./measures/g20-watchers.ts";

export const measures: Measure[] = [
	purchases,
	naivePurchases,
	pacedPurchases,
	onePick,
	drain,
	accept,
	balance,
	idleSockets,
	commitToFrame,
	pacedCommitToFrame,
	oneProduct,
	oneProductWhole,
	ready,
	selectionsList,
	pacedPicks,
	busierPicks,
	embeddedPicks,
	idle,
	heldSeats,
	embeddedSeats,
	watchedSeats
];

/** The measures with this number, or with a row of this number: G15 and G16 are rows of G14. */
export const measuresNamed = (name: string) =>
	measures.filter(({ id, targets }) => id === name || targets.some(target => target.id === name));
