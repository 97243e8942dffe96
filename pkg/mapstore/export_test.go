package mapstore

// For the tests outside the package.
var Eventually = eventually
