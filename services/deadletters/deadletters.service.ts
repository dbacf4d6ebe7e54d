import { database } from "../../mixins/database/database.ts";
import { embedded, postgres, topicLog, withTopicLog } from "../../runtime/drivers.ts";
import { deadletters } from "./deadletters.ts";

export default deadletters(topicLog(), [withTopicLog(), ...(embedded ? [database(postgres())] : [])]);
