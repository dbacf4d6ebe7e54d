import type { ServiceSchema } from "moleculer";
import { markTopicsMixin } from "../mixins/topics/require-mixin.ts";

/** Mixin: takes the place of `topics` where a test calls the topic handlers itself. */
export const noTopics: Partial<ServiceSchema> = markTopicsMixin({
	methods: {
		publish() {
			throw new Error("this test publishes nothing: give the service the mixin topics");
		}
	}
});
