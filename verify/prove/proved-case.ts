/** What stands in the place of a file for a case that a proof has made: it begins the path's number. */
export const PROVED_CASE = 'path ';
