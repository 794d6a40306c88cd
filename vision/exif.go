package vision

import "encoding/binary"

// exifOrientation finds tag 0x0112 in the first directory of a TIFF block
// (Exif 2.32, 4.6). found is true when the tag is there, whatever its value.
func exifOrientation(b []byte) (orientation int, found bool) {
	if len(b) < 8 {
		return 0, false
	}
	var order binary.ByteOrder
	switch string(b[:4]) {
	case "II*\x00":
		order = binary.LittleEndian
	case "MM\x00*":
		order = binary.BigEndian
	default:
		return 0, false
	}
	off := uint64(order.Uint32(b[4:]))
	if off+2 > uint64(len(b)) {
		return 0, false
	}
	n := uint64(order.Uint16(b[off:]))
	for i := range n {
		e := off + 2 + 12*i
		if e+12 > uint64(len(b)) {
			return 0, false
		}
		if order.Uint16(b[e:]) != 0x0112 {
			continue
		}
		if order.Uint16(b[e+2:]) == 4 { // some writers use LONG
			return int(min(order.Uint32(b[e+8:]), 1<<16)), true
		}
		return int(order.Uint16(b[e+8:])), true
	}
	return 0, false
}
