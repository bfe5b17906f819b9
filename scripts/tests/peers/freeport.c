// freeport: the first TCP port from START on that can be had, on IPv4 and IPv6, every interface.

#include "common.h"
#include <netinet/in.h>
#include <sys/socket.h>

// can be bound, where the family exists at all
static bool is_free(int family, long port)
{
	struct sockaddr_in6 a6 = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};
	struct sockaddr_in a4 = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	int fd = socket(family, SOCK_STREAM, 0), on = 1, r;

	if (fd < 0)
		return true;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
	r = family == AF_INET6 ? bind(fd, (struct sockaddr *)&a6, sizeof(a6)) :
				 bind(fd, (struct sockaddr *)&a4, sizeof(a4));
	close(fd);
	return r == 0;
}

int main(int argc, char **argv)
{
	peer_name = "freeport";
	if (argc != 2)
		die("usage: freeport START");
	for (long port = number(argv[1]); port < 32768; port++) {
		if (is_free(AF_INET, port) && is_free(AF_INET6, port)) {
			printf("%ld\n", port);
			return 0;
		}
	}
	die("none");
}
