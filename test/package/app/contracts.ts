// The topics of the application.
import { defineTopics } from "@plaza/mixins/topics";
import { z } from "zod";

export const parcel = z.object({ id: z.string().min(1), customer: z.string().min(1), weightGrams: z.int().positive() });

export const topics = defineTopics({
	"parcel.accepted": { message: parcel, key: ({ customer }) => customer }
});
