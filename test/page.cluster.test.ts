// Tests the pages against several processes on the real servers; `PROFILE=embedded` runs the same against one process.
import { after, before, describe } from "node:test";
import { noBrowser } from "./browser.ts";
import { commercePageStory } from "./commerce-page.story.ts";
import { pageStory } from "./page.story.ts";
import { pageAccountsStory } from "./page-accounts.story.ts";
import { pageDialogsStory } from "./page-dialogs.story.ts";
import { seatsPageStory } from "./seats-page.story.ts";
import { seatsPageAccessStory } from "./seats-page-access.story.ts";
import { type System, startSystem } from "./system.ts";

const profile = process.env.PROFILE === "embedded" ? "embedded" : "cluster";

describe(profile, { skip: noBrowser }, () => {
	let system: System;
	before(async () => {
		system = await startSystem({ profile });
	});
	after(() => system?.stop());

	for (const story of [pageStory, pageAccountsStory, pageDialogsStory, commercePageStory, seatsPageStory, seatsPageAccessStory])
		story(() => system);
});
